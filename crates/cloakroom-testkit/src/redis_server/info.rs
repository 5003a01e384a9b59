//! Reading what `INFO` says.

use super::control::Counts;

/// The calls per command, from the text of `INFO commandstats`.
pub(super) fn calls_per_command(info: &str) -> Counts {
    info.lines().filter_map(calls_of_line).collect()
}

/// `cmdstat_config|get:calls=2,usec=31,…` says that `config|get` was called twice.
fn calls_of_line(line: &str) -> Option<(String, u64)> {
    let (name, fields) = line.strip_prefix("cmdstat_")?.split_once(':')?;
    let calls = fields
        .split(',')
        .find_map(|field| field.strip_prefix("calls="))?;
    Some((name.to_lowercase(), calls.trim().parse().ok()?))
}

/// `all` without `own`; what is left of nothing is not listed.
pub(super) fn subtract(mut all: Counts, own: &Counts) -> Counts {
    for (name, calls) in own {
        // Before Redis 7 the statistics know `config` but not `config|get`.
        let known = if all.contains_key(name) {
            name
        } else {
            container(name)
        };
        if let Some(left) = all.get_mut(known) {
            *left = left.saturating_sub(*calls);
        }
    }
    all.retain(|_, calls| *calls > 0);
    all
}

fn container(name: &str) -> &str {
    name.split_once('|')
        .map_or(name, |(container, _)| container)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, u64)]) -> Counts {
        list.iter()
            .map(|(name, calls)| ((*name).to_owned(), *calls))
            .collect()
    }

    #[test]
    fn calls_are_read_from_the_statistics() {
        let info = "# Commandstats\r\n\
                    cmdstat_hgetall:calls=12,usec=31,usec_per_call=2.58,rejected_calls=0\r\n\
                    cmdstat_config|get:calls=2,usec=31,usec_per_call=15.50\r\n\
                    cmdstat_EVALSHA:calls=1,usec=9\r\n\
                    cmdstat_broken:usec=9\r\n";
        let expected = counts(&[("hgetall", 12), ("config|get", 2), ("evalsha", 1)]);
        assert_eq!(calls_per_command(info), expected);
    }

    #[test]
    fn own_calls_are_left_out() {
        let all = counts(&[("ping", 3), ("info", 1), ("config|get", 1)]);
        let own = counts(&[("ping", 2), ("info", 1), ("echo", 1)]);
        assert_eq!(
            subtract(all, &own),
            counts(&[("ping", 1), ("config|get", 1)])
        );
    }

    #[test]
    fn own_calls_are_left_out_where_subcommands_are_not_told_apart() {
        let own = counts(&[("config|get", 1), ("config|resetstat", 1)]);
        assert_eq!(
            subtract(counts(&[("config", 3)]), &own),
            counts(&[("config", 1)])
        );
    }
}
