//! Which master serves which bucket: a row for each bucket.

use super::{super::layout::Master, survey::Survey};
use crate::Endpoint;
use cloakroom_core::{Bucket, Buckets, key_slot};
use std::time::{Duration, Instant};

/// For so long a survey does not undo what a redirection told: whoever is asked for a survey may
/// be the last to hear of a move. Should the redirection be wrong, then the next one tells.
const TOLD_HOLDS: Duration = Duration::from_secs(1);

/// The routing table.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    bucket: Bucket,
    slot: u16,
    master: Option<Endpoint>,
    /// When the row was last told by the bucket's own server.
    told: Option<Instant>,
}

impl Table {
    /// A row for each bucket, and no master yet.
    pub(super) fn new(buckets: &Buckets) -> Self {
        let row = |bucket| Row {
            bucket,
            slot: key_slot(format!("{{{}}}", buckets.tag(bucket)).as_bytes()),
            master: None,
            told: None,
        };
        Self {
            rows: buckets.iter().map(row).collect(),
        }
    }

    /// A bucket's slot, and its master if one is known.
    pub(super) fn look_up(&self, bucket: Bucket) -> Option<(u16, Option<&Endpoint>)> {
        let row = self.rows.get(usize::from(bucket.index()))?;
        Some((row.slot, row.master.as_ref()))
    }

    /// A bucket has moved; says whether that is news.
    pub(super) fn moved(&mut self, bucket: Bucket, to: &Endpoint, now: Instant) -> bool {
        let Some(row) = self.rows.get_mut(usize::from(bucket.index())) else {
            return false;
        };
        row.told = Some(now);
        row.master.replace(to.clone()).as_ref() != Some(to)
    }

    /// Takes over what a node said that was asked at that time, except where a redirection has
    /// told more since, or shortly before. Says whether a bucket has another master than before.
    pub(super) fn survey(&mut self, survey: &Survey, asked: Instant) -> bool {
        let mut another = false;
        for row in &mut self.rows {
            let known_since = row.told.is_some_and(|told| told + TOLD_HOLDS > asked);
            if let Some(master) = survey.master(row.slot)
                && !known_since
            {
                let before = row.master.replace(master.clone());
                another |= before.is_some_and(|before| before != *master);
            }
        }
        another
    }

    /// The masters with their buckets, each once.
    pub(super) fn masters(&self) -> Vec<Master> {
        let mut masters: Vec<Master> = Vec::new();
        for row in &self.rows {
            let Some(endpoint) = &row.master else {
                continue;
            };
            match masters.iter_mut().find(|m| m.endpoint == *endpoint) {
                Some(master) => master.buckets.push(row.bucket),
                None => masters.push(Master {
                    endpoint: endpoint.clone(),
                    buckets: vec![row.bucket],
                }),
            }
        }
        masters
    }

    /// Whether every bucket has a master.
    pub(super) fn is_whole(&self) -> bool {
        self.rows.iter().all(|row| row.master.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reply;

    /// One master for each of these ports, with equal ranges.
    fn survey(ports: &[i64]) -> Survey {
        let asked = Endpoint::parse("redis://h").unwrap();
        let width = 16_384 / ports.len() as i64;
        let range = |(i, port): (usize, &i64)| {
            let node = vec![Reply::Bytes("h".into()), Reply::Int(*port)];
            let first = i as i64 * width;
            Reply::Array(vec![
                Reply::Int(first),
                Reply::Int(first + width - 1),
                Reply::Array(node),
            ])
        };
        let slots = Reply::Array(ports.iter().enumerate().map(range).collect());
        Survey::read(vec![Reply::Bytes("cluster_state:ok".into()), slots], &asked).unwrap()
    }

    fn port(table: &Table, bucket: Bucket) -> Option<u16> {
        let (_, master) = table.look_up(bucket)?;
        Some(master?.port)
    }

    #[test]
    fn each_bucket_follows_its_slot() {
        let buckets = Buckets::default();
        let mut table = Table::new(&buckets);
        assert!(!table.is_whole() && table.masters().is_empty());
        let now = Instant::now();
        assert!(
            !table.survey(&survey(&[1, 2, 4, 8]), now),
            "nobody served before"
        );
        assert!(table.is_whole());
        let masters = table.masters();
        assert!(masters.len() == 4 && masters.iter().all(|m| m.buckets.len() == 16));
        assert!(!table.survey(&survey(&[1, 2, 4, 8]), now));
        assert!(table.survey(&survey(&[1, 2, 4, 9]), now));
        assert_eq!(port(&table, buckets.get(63).unwrap()), Some(9));
    }

    #[test]
    fn a_redirection_outweighs_a_survey_for_a_while() {
        let buckets = Buckets::default();
        let (mut table, first) = (Table::new(&buckets), buckets.get(0).unwrap());
        let asked = Instant::now();
        table.survey(&survey(&[1]), asked);
        let there = Endpoint::parse("redis://h:2").unwrap();
        let told = asked + Duration::from_millis(1);
        assert!(table.moved(first, &there, told));
        assert!(!table.moved(first, &there, told));
        table.survey(&survey(&[1]), asked);
        assert_eq!(port(&table, first), Some(2));
        assert_eq!(table.masters().len(), 2);
        table.survey(&survey(&[1]), told + TOLD_HOLDS / 2);
        assert_eq!(port(&table, first), Some(2));
        table.survey(&survey(&[1]), told + TOLD_HOLDS);
        assert_eq!(port(&table, first), Some(1));
    }
}
