//! Which instance is next.

use super::slot::Slot;
use crate::version::Version;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the turns, of all instances together and of each version.
#[derive(Debug, Default)]
pub(super) struct Turns {
    mixed: AtomicUsize,
    v1: AtomicUsize,
    v2: AtomicUsize,
}

impl Turns {
    /// The slots in the order in which a request should try them.
    pub(super) fn order(&self, slots: &[Slot], version: Option<Version>) -> Vec<usize> {
        let available: Vec<_> = slots
            .iter()
            .filter(|slot| slot.is_available())
            .map(|slot| (slot.index(), slot.version()))
            .collect();
        order(&available, version, self.next(version))
    }

    fn next(&self, version: Option<Version>) -> usize {
        let counter = match version {
            None => &self.mixed,
            Some(Version::V1) => &self.v1,
            Some(Version::V2) => &self.v2,
        };
        counter.fetch_add(1, Ordering::Relaxed)
    }
}

/// Round robin: the wanted version's instances first, beginning with the one whose turn it is,
/// then the others.
fn order(available: &[(usize, Version)], wanted: Option<Version>, turn: usize) -> Vec<usize> {
    let (mut first, mut rest): (Vec<_>, Vec<_>) = available
        .iter()
        .partition(|(_, version)| wanted.is_none_or(|wanted| wanted == *version));
    for group in [&mut first, &mut rest] {
        let by = turn.checked_rem(group.len()).unwrap_or_default();
        group.rotate_left(by);
    }
    first.append(&mut rest);
    first.into_iter().map(|(index, _)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: [(usize, Version); 4] = [
        (0, Version::V1),
        (1, Version::V1),
        (2, Version::V2),
        (3, Version::V2),
    ];

    fn firsts(available: &[(usize, Version)], wanted: Option<Version>) -> Vec<usize> {
        (0..4)
            .filter_map(|turn| order(available, wanted, turn).first().copied())
            .collect()
    }

    #[test]
    fn mixed_goes_round_all() {
        assert_eq!(firsts(&FOUR, None), [0, 1, 2, 3]);
    }

    #[test]
    fn a_version_goes_round_its_own_and_falls_back_to_the_other() {
        assert_eq!(firsts(&FOUR, Some(Version::V2)), [2, 3, 2, 3]);
        assert_eq!(order(&FOUR, Some(Version::V2), 1), [3, 2, 1, 0]);
        assert_eq!(firsts(&FOUR[..2], Some(Version::V2)), [0, 1, 0, 1]);
    }

    #[test]
    fn without_instances_there_is_no_order() {
        assert!(order(&[], None, 7).is_empty());
    }
}
