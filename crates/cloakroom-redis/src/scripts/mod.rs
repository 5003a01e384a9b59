//! The scripts: all that is atomic in Redis, one file each.

use std::sync::LazyLock;

macro_rules! scripts {
    ($($variant:ident = $file:literal),+ $(,)?) => {
        /// One of Cloakroom's scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Script { $($variant),+ }

        /// The whole text of each, in the order of [`Script`].
        static SOURCES: LazyLock<Vec<String>> = LazyLock::new(|| {
            let marked_for = cloakroom_core::MARKED_FOR.whole_milliseconds();
            let prelude = include_str!("prelude.lua").replace("MARKED_FOR)", &format!("{marked_for})"));
            vec![$(format!("{prelude}\n{}", include_str!($file))),+]
        });
    };
}

scripts! {
    Create = "create.lua",
    Commit = "commit.lua",
    Retire = "retire.lua",
    Rotate = "rotate.lua",
    End = "end.lua",
    Touch = "touch.lua",
    List = "list.lua",
    Revoke = "revoke.lua",
    Everyone = "everyone.lua",
    CacheFetch = "cache_fetch.lua",
    CacheExtend = "cache_extend.lua",
    CacheRelease = "cache_release.lua",
    CachePut = "cache_put.lua",
    CacheInsert = "cache_insert.lua",
    CacheDrop = "cache_drop.lua",
    TagRead = "tag_read.lua",
    TagChange = "tag_change.lua",
    TokenRevoke = "token_revoke.lua",
    TokenList = "token_list.lua",
    TokenStanding = "token_standing.lua",
}

impl Script {
    /// The script's text.
    pub(crate) fn source(self) -> &'static str {
        &SOURCES[self.index()]
    }

    /// Its place among all scripts.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Whether it touches other keys than those that it is given: all do, the count of announcements
    /// at least, but those that write one hash alone.
    pub(crate) fn reaches_further(self) -> bool {
        !matches!(self, Self::Touch | Self::CacheFetch | Self::CacheExtend)
    }

    /// The texts of all scripts, by [`index`](Self::index).
    pub(crate) fn sources() -> impl Iterator<Item = &'static str> {
        SOURCES.iter().map(String::as_str)
    }
}
