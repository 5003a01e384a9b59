//! The list of all cases: what each is called and what is owed.

mod basics;
mod create;
mod expiry;
mod forged;
mod gone;
mod instances;
mod odd;
mod outage;
mod overlap;
mod rotation;
mod values;
mod whole;

use crate::ground::Ground;
use crate::report::{Case, Outcome};
use crate::subject::BoxFuture;
use crate::verdict::Verdict;

/// What a store owes, and the case that tries it.
pub(crate) struct Promise {
    group: &'static str,
    name: &'static str,
    owed: &'static str,
    pub(crate) run: fn(Ground) -> BoxFuture<'static, Verdict>,
}

impl Promise {
    /// Whether `which` names the case or its group.
    pub(crate) fn is(&self, which: &str) -> bool {
        match which.split_once("::") {
            Some((group, name)) => group == self.group && name == self.name,
            None => which == self.group,
        }
    }

    pub(crate) fn came_to(&self, outcome: Outcome) -> Case {
        let (group, name, owed) = (self.group, self.name, self.owed);
        Case {
            group,
            name,
            owed,
            outcome,
        }
    }
}

macro_rules! promises {
    ($($group:ident { $($name:ident: $owed:literal,)+ })+) => {
        /// All cases, in the order of the report.
        pub(crate) const PROMISES: &[Promise] = &[$($(
            Promise {
                group: stringify!($group),
                name: stringify!($name),
                owed: $owed,
                run: |ground| Box::pin($group::$name(ground)),
            },
        )+)+];

        /// What is owed: the sentences of all cases, by group.
        $(
            #[doc = concat!("\n# ", stringify!($group), "\n")]
            $(#[doc = concat!("- `", stringify!($name), "`: ", $owed)])+
        )+
        pub mod owed {}
    };
}

promises! {
    basics {
        what_is_created_is_loaded:
            "A session that was created is loaded with the attributes it was given.",
        an_id_that_never_was_is_absent:
            "Loading an id that no session has gives nothing, and is no error.",
        a_save_changes_adds_and_removes:
            "After a save the session has what its holder changed and added, and not what its \
             holder removed.",
        a_copy_can_be_saved_again:
            "One holder may save several times, as a handler and then the layer do: the last save \
             says what its attributes are, also that one is gone which an earlier save added.",
        a_created_copy_can_be_saved:
            "Whoever created a session may save it without loading it first.",
        an_empty_session_is_a_session:
            "A session without attributes is there, and can be given some by a save.",
        a_save_without_attributes_empties_the_session:
            "A record without attributes, which nobody loaded, empties the session when it is \
             saved: so `Session::clear` asks for it.",
        a_delete_ends_the_session:
            "A session that was deleted is not loaded again.",
        a_delete_can_be_repeated:
            "Deleting a session twice, or one that never was, is no error.",
        sessions_do_not_mix:
            "Sessions that are written beside each other each have their own attributes and no \
             others.",
    }
    create {
        an_existing_session_is_never_overwritten:
            "Creating a session under an id that is taken gives it another id or fails; the one \
             that was there is untouched.",
        of_many_with_one_id_each_gets_its_own:
            "Of many sessions created at once under one id, no two get the same.",
    }
    values {
        every_kind_of_value_survives:
            "Null, booleans, numbers to the edges of their types, strings, arrays and objects come \
             back as they were saved.",
        null_is_not_absence:
            "An attribute whose value is null is there, also after a save.",
        any_text_survives:
            "Text of any script, with quotes, control characters and NULs, comes back as it was, as \
             a name and as a value; so does the empty one.",
        a_long_text_survives:
            "A text of 64 KiB comes back whole.",
        many_attributes_survive:
            "200 attributes come back, all of them.",
    }
    gone {
        a_save_after_a_delete_writes_nothing:
            "A save that comes after a delete is no error and leaves the session deleted: a request \
             that began before a logout must not undo it.",
        a_save_of_an_unknown_id_makes_nothing:
            "A save under an id that no session has is no error and makes none: only `create` makes \
             sessions.",
        a_save_of_an_expired_session_makes_nothing:
            "A save that comes after the session has expired is no error and does not bring it \
             back.",
        a_save_on_another_instance_brings_nothing_back:
            "A session that one instance loaded and another deleted stays deleted when the first \
             saves it.",
        a_save_beside_a_delete_brings_nothing_back:
            "When a save and a delete run beside each other, the session is gone once both have \
             returned, whichever was first.",
    }
    overlap {
        many_writers_each_keep_theirs:
            "When many requests load a session and each then saves an attribute of its own, all are \
             kept.",
        writers_on_two_instances_each_keep_theirs:
            "When the requests that overlap are on two instances, what each saves is kept all the same.",
        a_removal_and_an_addition_both_hold:
            "When one request removes an attribute while another adds one, both hold.",
        a_save_that_changes_nothing_undoes_nothing:
            "A save by a request that changed nothing, as `always_save` makes, undoes nothing that \
             another wrote meanwhile.",
        the_later_of_two_writes_holds:
            "When two requests change the same attribute, the later save holds, and the rest of \
             both is kept.",
    }
    whole {
        a_load_shows_a_save_whole_or_not_at_all:
            "A load beside a save shows all that the save writes, or nothing of it.",
        a_dropped_save_is_whole_or_nothing:
            "A save that is dropped half-way, because the client has gone, is done whole or not at \
             all, and the session can be written afterwards.",
        a_dropped_create_is_whole_or_nothing:
            "A create that is dropped half-way makes the whole session or none, and another can be \
             made afterwards.",
        a_dropped_delete_is_whole_or_nothing:
            "A delete that is dropped half-way leaves the whole session or none, and can be \
             repeated.",
    }
    instances {
        an_instance_shows_its_own_changes_at_once:
            "What an instance has created, saved or deleted it shows at once, whatever its \
             staleness.",
        what_one_creates_another_loads:
            "What one instance has created another loads within the staleness, though it looked \
             before and found nothing.",
        what_one_saves_another_loads:
            "What one instance has saved another loads within the staleness, though it had loaded \
             what was before.",
        what_one_deletes_no_other_loads:
            "Once a delete has returned and the staleness has passed, no instance loads the \
             session, and none does so again.",
    }
    expiry {
        an_expired_session_is_absent:
            "A session is loaded until it expires and not after it, give or take a second, for \
             stores that keep whole seconds.",
        another_instance_sees_it_expire:
            "An instance that had loaded a session does not show it after it has expired either.",
        a_save_moves_the_expiry_later:
            "A session that was saved with a later expiry lives until then.",
        a_save_moves_the_expiry_earlier:
            "A session that was saved with an earlier expiry lives until then and no longer.",
        a_save_with_a_past_expiry_ends_the_session:
            "A session that was saved with an expiry in the past is absent.",
        what_is_created_in_the_past_is_absent:
            "A session that was created with an expiry in the past is absent; whether creating it \
             fails is the store's choice.",
        the_expiry_comes_back:
            "The expiry that is loaded is the one that was saved, give or take a second and the \
             time in between.",
        a_far_expiry_is_no_error:
            "A session may expire at the end of the year 9999.",
    }
    rotation {
        the_new_id_has_everything:
            "When an id is changed (delete, then create with what was loaded), the new id has \
             everything and the old one is absent.",
        a_save_under_the_old_id_brings_nothing_back:
            "A save under the old id by a request that loaded it before is no error, does not bring \
             the old id back and does not touch the new one.",
        beside_saves_the_old_id_stays_gone:
            "A save under the old id that runs beside the change of the id does not bring the old id \
             back or keep the new one from having everything.",
    }
    forged {
        a_forged_id_makes_no_session:
            "For a forged id, tower-sessions with `always_save` creates an empty session: under a \
             new id, which can be saved again without an error, while the forged one stays absent.",
    }
    odd {
        ids_at_the_edges_are_ids:
            "Zero, negative ids and those with all bits set are ids like others.",
        ids_that_differ_in_one_bit_are_different:
            "Ids that differ in a single bit are different sessions.",
        any_name_is_an_attribute:
            "Names that mean something to a store (`{tag}`, `~r`, `$set`, `a:b`) are attributes like \
             others.",
        a_very_long_name_is_an_attribute:
            "A name of 10,000 bytes is an attribute like others.",
        a_deep_value_survives:
            "A value that is nested 100 deep comes back as it was saved.",
    }
    outage {
        nothing_hangs_or_panics:
            "While the store can't reach its data, each operation succeeds or fails within the \
             deadline, and none panics.",
        a_load_does_not_say_absent:
            "While the store can't reach its data, loading a session that exists is an error, or \
             shows it, but does not say that there is none: that logs people out.",
        what_was_there_is_there_again:
            "Once the data can be reached again, what was there is there, on the same instances, \
             and they take writes.",
        what_was_acknowledged_holds:
            "What an operation has said to have done while the data could not be reached is done.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_cases_have_the_same_name() {
        let names: HashSet<_> = PROMISES.iter().map(|p| (p.group, p.name)).collect();
        assert_eq!(names.len(), PROMISES.len());
    }

    #[test]
    fn what_is_owed_is_a_sentence() {
        for promise in PROMISES {
            assert!(promise.owed.ends_with('.'), "{}", promise.name);
            assert!(!promise.owed.contains("  "), "{}", promise.name);
        }
    }

    #[test]
    fn a_case_goes_by_its_name_or_its_groups() {
        let promise = &PROMISES[0];
        assert!(promise.is("basics"));
        assert!(promise.is("basics::what_is_created_is_loaded"));
        assert!(!promise.is("what_is_created_is_loaded"));
        assert!(!promise.is("gone::what_is_created_is_loaded"));
        assert!(!promise.is(""));
    }
}
