//! The list of all cases, and what makes tests of it.

/// Makes each case of the [suite](crate::conformance) a test of its own.
///
/// Takes the path of an `async fn(&str) -> Fixture`; what it is given is the case's name, fit for
/// a key prefix. The tests run on tokio's multi-thread runtime, which the calling crate must have
/// with its features `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! session_store_conformance {
    ($fixture:ident) => {
        $crate::session_store_cases! { [$crate::session_store_tests] $fixture }
    };
}

/// The list of all cases, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! session_store_cases {
    ([$($callback:tt)+] $($fixture:ident)?) => {
        $($callback)+! { $($fixture)?
            create {
                an_unknown_id_is_absent,
                every_instance_loads_what_was_created,
                an_anonymous_session_has_no_login,
                any_name_and_any_value_survives,
                a_thousand_attributes_survive,
                an_existing_id_is_never_overwritten,
                a_superseded_id_is_never_overwritten,
                of_many_with_one_id_one_is_made,
                an_empty_label_is_none,
                a_lifetime_may_be_without_end,
                what_is_not_awaited_does_not_happen,
            }
            commit {
                only_what_is_named_changes,
                two_copies_change_different_attributes,
                any_name_is_written_and_removed,
                a_thousand_attributes_are_written_and_removed,
                an_empty_change_is_a_commit_too,
                on_what_is_gone_it_writes_nothing,
                on_a_superseded_id_it_writes_nothing,
                it_slides_the_idle_window,
            }
            expect {
                a_change_passes_while_its_expectations_hold,
                a_conflict_shows_what_is_held_and_writes_nothing,
                one_of_many_expectations_is_enough_for_a_conflict,
                any_name_can_be_expected,
                a_conflict_does_not_slide_the_idle_window,
            }
            size {
                the_cap_itself_passes,
                beyond_the_cap_nothing_is_written,
                a_change_is_judged_by_its_result,
                the_count_stays_right_over_many_changes,
                the_count_survives_a_rotation,
            }
            retire {
                a_retired_id_is_superseded,
                a_change_meanwhile_is_shown,
                an_id_that_leads_nowhere_is_marked_too,
                one_that_its_client_ended_stays_so,
                the_mark_fades,
                of_two_at_once_one_retires,
                beside_a_commit_no_write_is_lost,
            }
            rotate {
                everything_moves_but_the_id,
                the_place_in_the_list_is_kept,
                it_can_be_repeated,
                the_absolute_deadline_is_kept,
                an_anonymous_session_stays_out_of_every_list,
                a_collision_changes_nothing,
                what_is_gone_is_refused,
                a_superseded_id_is_refused,
            }
            rotate_races {
                of_two_at_once_one_wins,
                beside_a_commit_no_write_is_lost,
                beside_an_end_nothing_is_left_half_done,
                beside_touches_the_old_id_stays_superseded,
            }
            login {
                the_user_owns_the_new_id_alone,
                another_user_leaves_the_first_ones_list,
                ones_own_session_is_replaced_in_the_same_step,
                what_is_written_meanwhile_is_shown,
                nobody_elses_session_is_replaced,
                beside_a_commit_no_write_is_lost,
            }
            end {
                an_ended_session_is_gone_everywhere,
                it_can_be_repeated,
                its_mark_fades,
                a_superseded_id_ends_nothing,
                a_commit_beside_it_brings_nothing_back,
                a_touch_beside_it_brings_nothing_back,
            }
            touch {
                it_slides_the_idle_window,
                it_never_passes_the_absolute_deadline,
                it_changes_nothing_else,
                it_counts_from_the_use,
                older_uses_are_ignored,
                impossible_times_do_no_harm,
                what_is_gone_stays_gone,
                many_go_in_one_call,
            }
            expiry {
                an_unused_session_expires,
                reading_is_no_use,
                use_does_not_outlive_the_absolute_deadline,
                a_remembered_session_has_its_own_lifetime,
                other_limits_of_time_begin_with_the_write,
                a_longer_life_is_known_to_the_index,
                the_window_of_one_instance_holds_on_another,
                at_the_edge_a_session_dies_once,
            }
            list {
                a_users_sessions_come_by_time_of_login,
                it_tells_what_the_session_is,
                it_shows_nobody_elses,
                what_has_ended_leaves_it,
                what_has_expired_leaves_it,
                any_user_id_is_a_user_of_its_own,
                logins_beside_it_are_not_dropped,
            }
            revoke {
                one_by_its_name,
                a_foreign_name_ends_nothing,
                all_but_one,
                all,
                what_has_expired_is_not_counted,
                nobody_else_is_touched,
                what_is_revoked_can_not_be_written,
                the_next_login_lives,
                everyone,
            }
            revoke_races {
                logins_before_it_die,
                a_rotation_does_not_escape,
                a_commit_beside_it_brings_nothing_back,
            }
            limit {
                the_oldest_login_goes,
                use_and_rotation_do_not_make_a_login_younger,
                a_refused_login_writes_nothing,
                what_is_replaced_does_not_count,
                a_lower_limit_ends_all_beyond_it,
                what_has_ended_does_not_count,
                nobody_else_counts,
                the_smallest_limit_is_one,
                without_one_there_is_none,
                it_holds_at_every_moment,
                refusals_are_exact,
            }
            parallel {
                increments_add_up,
                different_attributes_all_survive,
                all_instances_agree_after_many_writers,
                operations_on_many_sessions_do_not_mix,
            }
        }
    };
}

/// One test for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! session_store_tests {
    ($fixture:ident $($group:ident { $($case:ident,)+ })+) => {$(
        mod $group {$(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                const NAME: &str = concat!(stringify!($group), ".", stringify!($case));
                $crate::conformance::check(NAME, &super::$fixture(NAME).await).await;
            }
        )+}
    )+};
}
