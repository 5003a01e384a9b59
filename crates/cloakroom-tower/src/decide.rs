//! What a response does with the changes of its request: a pure decision.
//!
//! | the request's session | what changed | status | plan |
//! |---|---|---|---|
//! | any | nothing | any | nothing |
//! | any | anything | 5xx | discard: the handler failed, so its half-made changes are not kept |
//! | none | something was set | other | create one |
//! | none | only removals | other | nothing: an empty session is never made |
//! | known | anything | other | commit |
//! | ended | anything | other | discard: what was written to it must not come back |
//! | superseded | anything | other | refuse: the session lives on under a newer id, without them |
//! | unreachable | anything | other | discard: the policy serves it as anonymous |
//!
//! Logins, rotations, logouts and atomic updates don't wait for this: they have happened when
//! their call returned, whatever the status.

use http::StatusCode;

/// Where the request's session stands at the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// No id was presented, it led nowhere, or its session was ended by this request.
    None,
    /// An id was presented and, as far as is known, leads to a session.
    Known,
    /// Its client ended it, or this request knew it and others ended it since.
    Ended,
    /// The id was replaced by a newer one.
    Superseded,
    /// The store can't be reached and the policy is to go on without it.
    Unreachable,
}

/// What the handler changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changed {
    Nothing,
    /// Attributes were removed, none set.
    Removed,
    /// Some attribute was set.
    Set,
}

/// What to do before the response head goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Nothing,
    /// Drop the changes.
    Discard,
    /// Make a session that holds them.
    Create,
    /// Write them to the session.
    Commit,
    /// Drop them, and say so with a 409.
    Refuse,
}

pub(crate) fn decide(standing: Standing, changed: Changed, status: StatusCode) -> Plan {
    match (standing, changed) {
        (_, Changed::Nothing) => Plan::Nothing,
        _ if status.is_server_error() => Plan::Discard,
        (Standing::Ended | Standing::Unreachable, _) => Plan::Discard,
        (Standing::Superseded, _) => Plan::Refuse,
        (Standing::None, Changed::Removed) => Plan::Nothing,
        (Standing::None, Changed::Set) => Plan::Create,
        (Standing::Known, _) => Plan::Commit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks every row of the table above.
    #[test]
    fn the_table_is_what_happens() {
        use {Changed as C, Standing as S};
        let standings = [S::None, S::Known, S::Ended, S::Superseded, S::Unreachable];
        for standing in standings {
            for status in [200, 204, 302, 404, 500, 503].map(|s| StatusCode::from_u16(s).unwrap()) {
                assert_eq!(decide(standing, C::Nothing, status), Plan::Nothing);
                for changed in [C::Removed, C::Set] {
                    let want = match (status.as_u16(), standing, changed) {
                        (500.., _, _) => Plan::Discard,
                        (_, S::None, C::Set) => Plan::Create,
                        (_, S::None, C::Removed) => Plan::Nothing,
                        (_, S::Known, _) => Plan::Commit,
                        (_, S::Ended | S::Unreachable, _) => Plan::Discard,
                        (_, S::Superseded, _) => Plan::Refuse,
                        (_, _, C::Nothing) => unreachable!(),
                    };
                    assert_eq!(
                        decide(standing, changed, status),
                        want,
                        "{standing:?} {status}"
                    );
                }
            }
        }
    }
}
