//! The cluster as one of its nodes sees it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// How many slots a cluster has.
pub(super) const SLOTS: u16 = 16_384;

/// What `CLUSTER NODES` says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct View(Vec<Row>);

/// What it says of one node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    flags: Vec<String>,
    /// The node of which it is a replica.
    pub(super) master: Option<String>,
    /// Of two that say they serve a slot, the one with the greater is right.
    pub(super) epoch: u64,
    connected: bool,
    pub(super) slots: Vec<RangeInclusive<u16>>,
    /// Whether a slot is on its way to or from it; each node knows that of itself alone.
    moving: bool,
}

impl View {
    pub(super) fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(Row::parse).collect())
    }

    /// What the node says of itself.
    pub(super) fn own(&self) -> Option<&Row> {
        self.0.iter().find(|row| row.has("myself"))
    }

    /// Whether the node knows, and can talk to, all of these.
    pub(super) fn knows_all(&self, ids: &[&str]) -> bool {
        ids.iter()
            .all(|id| self.0.iter().any(|row| row.id == **id && row.is_well()))
    }

    /// Whether the node with this id is a master with slots.
    pub(super) fn is_led_by(&self, id: &str) -> bool {
        let leads = |row: &Row| row.id == id && row.is_master() && !row.slots.is_empty();
        self.0.iter().any(leads)
    }

    /// Who is what among these nodes: the master of each replica, the slots of each master.
    pub(super) fn roles(&self, ids: &[&str]) -> Roles {
        let rows = self.0.iter().filter(|row| ids.contains(&row.id.as_str()));
        rows.map(|row| (row.id.clone(), (row.master.clone(), row.slots.clone())))
            .collect()
    }
}

/// By the node's id: whose replica it is, which slots it serves.
pub(super) type Roles = BTreeMap<String, (Option<String>, Vec<RangeInclusive<u16>>)>;

/// Whether every slot is served, each once.
pub(super) fn are_complete(roles: &Roles) -> bool {
    let slots = roles.values().flat_map(|(_, slots)| slots.iter());
    slots.map(|range| range.len()).sum::<usize>() == usize::from(SLOTS)
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [id, _, flags, master, _, _, epoch, link, slots @ ..] = &words[..] else {
            return None;
        };
        Some(Self {
            id: (*id).to_owned(),
            flags: flags.split(',').map(str::to_owned).collect(),
            master: (*master != "-").then(|| (*master).to_owned()),
            epoch: epoch.parse().ok()?,
            connected: *link == "connected",
            slots: slots.iter().filter_map(|word| range(word)).collect(),
            moving: slots.iter().any(|word| word.starts_with('[')),
        })
    }

    pub(super) fn is_master(&self) -> bool {
        self.has("master")
    }

    pub(super) fn serves(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| range.contains(&slot))
    }

    pub(super) fn is_moving_slots(&self) -> bool {
        self.moving
    }

    fn is_well(&self) -> bool {
        let ill = ["fail", "fail?", "handshake", "noaddr"];
        self.connected && !ill.iter().any(|flag| self.has(flag))
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|own| own == flag)
    }
}

/// `7` or `0-5460`; a slot under way, `[7->-id]`, is none.
fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        aa 127.0.0.1:20001@20002 myself,master - 0 0 1 connected 0-5 7 [7->-bb] [8-<-bb]\n\
        bb 127.0.0.1:20003@20004,host master - 0 17 2 connected 6 8-16383\n\
        cc 127.0.0.1:20005@20006 slave,fail bb 0 17 2 connected\n";

    #[test]
    fn the_text_of_a_node_is_read() {
        let view = View::parse(TEXT);
        let own = view.own().unwrap();
        assert_eq!(
            (own.id.as_str(), own.slots.as_slice()),
            ("aa", &[0..=5, 7..=7][..])
        );
        assert_eq!(own.epoch, 1);
        assert!(own.is_master() && own.is_moving_slots() && own.serves(7) && !own.serves(8));
        assert!(view.knows_all(&["aa", "bb"]));
        assert!(!view.knows_all(&["aa", "cc"]), "cc has failed");
        assert!(!view.knows_all(&["dd"]), "nobody knows dd");
    }

    #[test]
    fn slots_are_counted_over_all() {
        let roles = View::parse(TEXT).roles(&["aa", "bb", "cc"]);
        assert_eq!(roles["cc"].0.as_deref(), Some("bb"));
        assert!(are_complete(&roles));
        assert!(!are_complete(&View::parse(TEXT).roles(&["bb", "cc"])));
    }
}
