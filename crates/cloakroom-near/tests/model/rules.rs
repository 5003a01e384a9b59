//! The rules, each of which can be left out, and what may go wrong how often.

/// What the code does to keep copies true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A copy is used only while it is known to have been true after the cut.
    Trust,
    /// A load brings what was true when it was sent, not when it was answered.
    ReadFromSending,
    /// What is proven counts for copies that were read in the same term.
    CopyOfTerm,
    /// What is announced while a value is on its way keeps older values out.
    Fence,
    /// Of two values of one term, the higher revision stays.
    NewerStays,
    /// Nobody joins a load that was sent before the cut.
    JoinInTime,
    /// Nor one of an earlier term.
    JoinInTerm,
    /// Nor one that was sent before something was announced.
    JoinUnannounced,
    /// A renewal proves what was published before it was sent, not before it was answered.
    ProofFromSending,
    /// A renewal proves nothing of a term that began after it was sent.
    ProofOfTerm,
    /// The end of a connection ends the term.
    LossEndsTerm,
    /// A new subscription begins one, once it is known where its count begins.
    SubscriptionBeginsTerm,
    /// So does a message that doesn't follow the one before.
    GapBeginsTerm,
    /// So does a count that is behind what was heard.
    FewerBeginTerm,
    /// A renewal proves nothing until as many messages were heard as it counts.
    AllHeard,
    /// A renewal writes, which a server that is no longer the master refuses.
    RenewalWrites,
    /// What is announced of all sessions drops every copy, and keeps older values out.
    AllAreDropped,
    /// A server that was emptied doesn't count from where it has counted before.
    CountBeginsElsewhere,
}

pub(crate) const ALL_RULES: [Rule; 18] = [
    Rule::Trust,
    Rule::ReadFromSending,
    Rule::CopyOfTerm,
    Rule::Fence,
    Rule::NewerStays,
    Rule::JoinInTime,
    Rule::JoinInTerm,
    Rule::JoinUnannounced,
    Rule::ProofFromSending,
    Rule::ProofOfTerm,
    Rule::LossEndsTerm,
    Rule::SubscriptionBeginsTerm,
    Rule::GapBeginsTerm,
    Rule::FewerBeginTerm,
    Rule::AllHeard,
    Rule::RenewalWrites,
    Rule::AllAreDropped,
    Rule::CountBeginsElsewhere,
];

/// How often each thing may happen, and how many loads are on their way at once. What is not here
/// may happen any number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Times {
    pub(crate) writes: u8,
    pub(crate) ends: u8,
    pub(crate) epochs: u8,
    pub(crate) others: u8,
    pub(crate) owns: u8,
    pub(crate) empties: u8,
    pub(crate) demotions: u8,
    pub(crate) disconnects: u8,
    pub(crate) losses: u8,
    pub(crate) loads: u8,
}

const ONE_WRITE: Times = Times {
    writes: 1,
    ends: 0,
    epochs: 0,
    others: 0,
    owns: 0,
    empties: 0,
    demotions: 0,
    disconnects: 0,
    losses: 0,
    loads: 1,
};

/// A part of all that can go wrong, small enough to be searched through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) name: &'static str,
    pub(crate) may: Times,
}

const fn scope(name: &'static str, may: Times) -> Scope {
    Scope { name, may }
}

impl Scope {
    const MESSAGES: Self = scope(
        "messages",
        Times {
            others: 1,
            losses: 1,
            ..ONE_WRITE
        },
    );
    const CONNECTIONS: Self = scope(
        "connections",
        Times {
            disconnects: 1,
            demotions: 1,
            ..ONE_WRITE
        },
    );
    const LOADS: Self = scope(
        "loads",
        Times {
            loads: 2,
            ..ONE_WRITE
        },
    );
    const ENDS: Self = scope(
        "ends",
        Times {
            ends: 1,
            ..ONE_WRITE
        },
    );
    const EPOCHS: Self = scope(
        "epochs",
        Times {
            epochs: 1,
            ..ONE_WRITE
        },
    );
    const OWN: Self = scope(
        "own writes",
        Times {
            owns: 1,
            ..ONE_WRITE
        },
    );
    const EMPTIED: Self = scope(
        "emptied",
        Times {
            writes: 0,
            others: 1,
            empties: 1,
            ..ONE_WRITE
        },
    );

    pub(crate) const ALL: [Self; 7] = [
        Self::MESSAGES,
        Self::CONNECTIONS,
        Self::LOADS,
        Self::ENDS,
        Self::EPOCHS,
        Self::OWN,
        Self::EMPTIED,
    ];
}

/// What breaks without each rule, and where it is seen.
pub(crate) const TABLE: [(Rule, Scope, Option<&str>); 18] = [
    (Rule::Trust, Scope::MESSAGES, Some("fresh")),
    (Rule::ReadFromSending, Scope::MESSAGES, Some("fresh")),
    (Rule::CopyOfTerm, Scope::CONNECTIONS, Some("fresh")),
    // And not fresh either, which takes longer.
    (Rule::Fence, Scope::LOADS, Some("told")),
    // The older value is true as of its own sending, and the announcement of the newer one drops it
    // or has fenced it. The rule spares a load, and readers a step back.
    (Rule::NewerStays, Scope::LOADS, None),
    (Rule::JoinInTime, Scope::LOADS, Some("fresh")),
    // A load that was sent after the cut shows what was written before, in whichever term. The rule
    // lets nobody wait for a load that a broken connection may never answer.
    (Rule::JoinInTerm, Scope::CONNECTIONS, None),
    (Rule::JoinUnannounced, Scope::LOADS, Some("told")),
    (Rule::ProofFromSending, Scope::MESSAGES, Some("fresh")),
    // A copy of the new term was itself read later than the renewal was sent, so that it is no
    // truer for it. The rule stays: it makes the lease right by itself.
    (Rule::ProofOfTerm, Scope::MESSAGES, None),
    // What is read between two subscriptions belongs to the term before the second, of which
    // nothing is proven any more. The rule stays for buckets that nobody subscribes to again.
    (Rule::LossEndsTerm, Scope::CONNECTIONS, None),
    (
        Rule::SubscriptionBeginsTerm,
        Scope::CONNECTIONS,
        Some("fresh"),
    ),
    (Rule::GapBeginsTerm, Scope::MESSAGES, Some("fresh")),
    (Rule::FewerBeginTerm, Scope::EMPTIED, Some("fresh")),
    (Rule::AllHeard, Scope::MESSAGES, Some("fresh")),
    (Rule::RenewalWrites, Scope::CONNECTIONS, Some("fresh")),
    // Were a bucket's epoch only to end the term, then a copy would live on for as long as the last
    // proof of that term allows: late by as much as is promised, and no more.
    (Rule::AllAreDropped, Scope::EPOCHS, Some("told")),
    // Were a bucket's count to begin at nothing, then one which was as low before the server was
    // emptied might be reached again before anybody looks.
    (Rule::CountBeginsElsewhere, Scope::EMPTIED, Some("fresh")),
];
