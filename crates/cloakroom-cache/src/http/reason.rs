//! Why the cache kept out of a request, or a response out of the cache.

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident = $word:literal),+ $(,)?) => {
        /// Why a response is not shared. Its word is the `detail` of `Cache-Status`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason { $($(#[$doc])+ $name),+ }

        impl Reason {
            /// In the order of their stored numbers: new ones go to the end.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) fn word(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }
        }
    };
}

reasons! {
    /// The request bears credentials, and no principal is part of the key.
    Authorization = "authorization",
    /// The session was read, and no principal is part of the key.
    Session = "session",
    /// The session was changed.
    SessionChanged = "session-changed",
    /// The response sets a cookie.
    SetCookie = "set-cookie",
    /// The request or the response says `no-store`.
    NoStore = "no-store",
    /// The response is `private`, and no principal is part of the key.
    Private = "private",
    /// The response varies by everything, or by what can't be read.
    VaryAll = "vary-all",
    /// The response varies by cookies, and no principal is part of the key.
    VaryCookie = "vary-cookie",
    /// A response of this status is not to be reused.
    Status = "status",
    /// The response says nothing of how long it is fresh, or that it isn't.
    NotFresh = "not-fresh",
    /// The body is larger than bodies may be.
    TooLarge = "too-large",
    /// The body is a stream that does not end soon, or that ended with trailers.
    Stream = "stream",
    /// The body broke off.
    Broken = "broken",
    /// The response bears more tags than a value may.
    Tags = "tags",
    /// The handler failed.
    Failed = "failed",
    /// The request asks for a part.
    Range = "range",
    /// The request bears a precondition that only the handler can judge.
    Precondition = "precondition",
    /// The request bears a body.
    Body = "body",
    /// The request asks for another protocol.
    Upgrade = "upgrade",
    /// The response varies by more and more.
    Depth = "depth",
    /// A layer inside has made it for a principal of its own.
    Principal = "principal",
    /// A layer of the same cache is around this one, and answers.
    Nested = "nested",
    /// The request names two hosts.
    Host = "host",
    /// The response clears what its client has stored.
    ClearSiteData = "clear-site-data",
}
