use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
struct Owned {
    version: Version,
    from: VersionReq,
    required_stop: bool,
}

fn stages(text: &[(&str, &str, bool)]) -> Vec<Owned> {
    text.iter()
        .map(|(version, from, required_stop)| Owned {
            version: version.parse().unwrap(),
            from: from.parse().unwrap(),
            required_stop: *required_stop,
        })
        .collect()
}

fn go(installed: &str, owned: &[Owned]) -> Vec<String> {
    let installed = installed.parse().unwrap();
    route(&installed, owned)
        .into_iter()
        .map(|index| owned[index].version.to_string())
        .collect()
}

fn route(installed: &Version, owned: &[Owned]) -> Vec<usize> {
    let stages: Vec<Stage<'_>> = owned
        .iter()
        .map(|stage| Stage {
            version: &stage.version,
            from: &stage.from,
            required_stop: stage.required_stop,
        })
        .collect();
    shortest(installed, &stages)
}

#[test]
fn the_newest_version_is_one_step_away_when_nothing_is_between() {
    let all = stages(&[
        ("1.0.0", "*", false),
        ("1.1.0", "*", false),
        ("1.2.0", "*", false),
    ]);
    assert_eq!(go("1.0.0", &all), ["1.2.0"]);
    assert_eq!(go("1.2.0", &all), Vec::<String>::new());
    assert_eq!(go("3.0.0", &all), Vec::<String>::new());
}

#[test]
fn a_required_stop_is_not_jumped_over() {
    let all = stages(&[
        ("1.1.0", "*", true),
        ("1.2.0", "*", false),
        ("2.0.0", "*", true),
        ("2.1.0", "*", false),
    ]);
    assert_eq!(go("1.0.0", &all), ["1.1.0", "2.0.0", "2.1.0"]);
    assert_eq!(go("1.1.0", &all), ["2.0.0", "2.1.0"]);
    assert_eq!(go("2.0.0", &all), ["2.1.0"]);
}

#[test]
fn a_range_is_walked_up_to() {
    let all = stages(&[
        ("1.1.0", "*", false),
        ("1.2.0", "*", false),
        ("2.0.0", ">=1.1", false),
    ]);
    assert_eq!(go("1.0.0", &all), ["1.2.0", "2.0.0"]);
}

#[test]
fn the_newest_that_can_be_reached_is_gone_to_when_the_newest_cannot() {
    let all = stages(&[("1.1.0", "*", false), ("3.0.0", ">=2", false)]);
    assert_eq!(go("1.0.0", &all), ["1.1.0"]);
    assert_eq!(go("1.1.0", &all), Vec::<String>::new());
}

#[test]
fn a_stop_that_cannot_be_reached_bars_the_way() {
    let all = stages(&[("2.0.0", ">=1.5", true), ("2.1.0", "*", false)]);
    assert_eq!(go("1.0.0", &all), Vec::<String>::new());
}

#[test]
fn an_early_version_is_in_the_ranges_it_lies_in() {
    let early: Version = "1.2.0-beta.1".parse().unwrap();
    for (range, is_in) in [
        ("*", true),
        (">=1.1", true),
        ("<2", true),
        (">=1.2.0", false),
        (">=1.3", false),
        ("^1", true),
        ("<1.2.0", false),
        (">=1.2.0-beta.1", true),
        ("~1.2", false),
    ] {
        assert_eq!(matches(&range.parse().unwrap(), &early), is_in, "{range}");
    }
}

fn any_stages() -> impl Strategy<Value = Vec<Owned>> {
    proptest::collection::btree_map(
        (0_u64..4, 0_u64..4),
        (0_u64..4, 0_u64..4, any::<bool>()),
        0..10,
    )
    .prop_map(|stages| {
        stages
            .into_iter()
            .map(
                |((major, minor), (from_major, from_minor, required_stop))| Owned {
                    version: Version::new(major, minor, 0),
                    from: format!(">={from_major}.{from_minor}").parse().unwrap(),
                    required_stop,
                },
            )
            .collect()
    })
}

/// Every way by brute force: the newest end, then the fewest stops.
fn brute_force(installed: &Version, stages: &[Owned]) -> Option<(usize, usize)> {
    fn extend(at: &Version, stages: &[Owned], length: usize, best: &mut Option<(usize, usize)>) {
        for (index, stage) in stages.iter().enumerate() {
            let jumped = stages.iter().any(|other| {
                other.required_stop && other.version > *at && other.version < stage.version
            });
            if stage.version > *at && matches(&stage.from, at) && !jumped {
                let better = best
                    .is_none_or(|(end, least)| index > end || (index == end && length + 1 < least));
                if better {
                    *best = Some((index, length + 1));
                }
                extend(&stage.version, stages, length + 1, best);
            }
        }
    }
    let mut best = None;
    extend(installed, stages, 0, &mut best);
    best
}

proptest! {
    #[test]
    fn the_route_is_allowed_and_the_best_of_all(
        installed in (0_u64..4, 0_u64..4),
        stages in any_stages(),
    ) {
        let installed = Version::new(installed.0, installed.1, 0);
        let route = route(&installed, &stages);
        let mut at = &installed;
        for index in &route {
            let stage = &stages[*index];
            prop_assert!(stage.version > *at);
            prop_assert!(matches(&stage.from, at));
            let jumped = stages.iter().any(|other| {
                other.required_stop && other.version > *at && other.version < stage.version
            });
            prop_assert!(!jumped);
            at = &stage.version;
        }
        prop_assert_eq!(route.last().map(|end| (*end, route.len())), brute_force(&installed, &stages));
    }
}
