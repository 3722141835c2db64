//! Shapes of partitions, as the directions that they block.

use zabrus_core::ServerId;

use crate::fault::{Direction, Shape};
use crate::random::Random;

/// The stages of a partition: what is blocked in each, one after the other. `None` if the shape
/// needs more servers, or a leader.
pub(super) fn stages(
    shape: Shape,
    servers: &[ServerId],
    leader: Option<ServerId>,
    random: &mut Random,
) -> Option<Vec<Vec<Direction>>> {
    let least = match shape {
        Shape::Ring => 4,
        Shape::Bridge | Shape::LeaderInMinority => 3,
        _ => 2,
    };
    if servers.len() < least {
        return None;
    }
    let mut order = servers.to_vec();
    random.shuffle(&mut order);
    if let Shape::IsolateLeader | Shape::LeaderInMinority = shape {
        let place = order.iter().position(|server| Some(*server) == leader)?;
        order.swap(0, place);
    }
    let count = order.len();
    let uneven = random.range(1..=count as u64 - 1) as usize;
    Some(match shape {
        Shape::Halves => vec![between(order.split_at(count / 2))],
        Shape::Uneven => vec![between(order.split_at(uneven))],
        Shape::IsolateOne | Shape::IsolateLeader => vec![between(order.split_at(1))],
        Shape::LeaderInMinority => {
            let minority = random.range(1..=(count as u64 - 1) / 2) as usize;
            vec![between(order.split_at(minority))]
        }
        Shape::Bridge => vec![between(order[1..].split_at((count - 1) / 2))],
        Shape::Ring => vec![ring(&order)],
        Shape::OneWay => vec![one_way(order.split_at(uneven))],
        Shape::Flapping => {
            let cut = between(order.split_at(uneven));
            let cuts = random.range(2..=5);
            (0..cuts).flat_map(|_| [cut.clone(), Vec::new()]).collect()
        }
        Shape::Swizzle => swizzle(&order, random),
    })
}

fn one_way((from, to): (&[ServerId], &[ServerId])) -> Vec<Direction> {
    from.iter().flat_map(|one| to.iter().map(move |other| (*one, *other))).collect()
}

fn between((one, other): (&[ServerId], &[ServerId])) -> Vec<Direction> {
    [one_way((one, other)), one_way((other, one))].concat()
}

fn ring(order: &[ServerId]) -> Vec<Direction> {
    let count = order.len();
    let apart = |one: usize, other: usize| {
        !matches!((other + count - one) % count, 0 | 1) && (one + count - other) % count != 1
    };
    let blocked =
        |one: usize| (0..count).filter(move |other| apart(one, *other)).map(move |other| (one, other));
    (0..count).flat_map(blocked).map(|(one, other)| (order[one], order[other])).collect()
}

/// Cuts off servers one by one, and joins them again one by one in another order.
fn swizzle(order: &[ServerId], random: &mut Random) -> Vec<Vec<Direction>> {
    let mut cut_off: Vec<ServerId> = Vec::new();
    let mut stages = Vec::new();
    let blocked = |cut_off: &[ServerId]| -> Vec<Direction> {
        let touched = |one: &ServerId, other: &ServerId| cut_off.contains(one) || cut_off.contains(other);
        one_way((order, order))
            .into_iter()
            .filter(|(one, other)| one != other && touched(one, other))
            .collect()
    };
    for server in &order[..random.range(1..=order.len() as u64) as usize] {
        cut_off.push(*server);
        stages.push(blocked(&cut_off));
    }
    random.shuffle(&mut cut_off);
    while cut_off.pop().is_some() {
        stages.push(blocked(&cut_off));
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEADER: ServerId = ServerId(2);

    fn drawn(shape: Shape, count: u64, seed: u64) -> Option<Vec<Vec<Direction>>> {
        let servers: Vec<ServerId> = (1..=count).map(ServerId).collect();
        stages(shape, &servers, Some(LEADER), &mut Random::stream(seed, "partition"))
    }

    /// How many servers a server hears and is heard by.
    fn reached(blocked: &[Direction], server: ServerId, count: u64) -> usize {
        let cut = |other| blocked.contains(&(server, other)) || blocked.contains(&(other, server));
        (1..=count).map(ServerId).filter(|other| *other != server && !cut(*other)).count()
    }

    #[test]
    fn the_leader_is_isolated_or_in_the_minority() {
        for seed in 0..20 {
            let isolated = drawn(Shape::IsolateLeader, 5, seed).unwrap();
            assert_eq!(reached(&isolated[0], LEADER, 5), 0);
            let minority = drawn(Shape::LeaderInMinority, 5, seed).unwrap();
            assert!(reached(&minority[0], LEADER, 5) <= 1);
        }
        let servers = [ServerId(1), LEADER, ServerId(3)];
        let none = stages(Shape::IsolateLeader, &servers, None, &mut Random::stream(1, "partition"));
        assert_eq!(none, None);
    }

    #[test]
    fn each_server_of_a_ring_reaches_two() {
        let ring = drawn(Shape::Ring, 5, 1).unwrap().remove(0);
        assert!((1..=5).all(|id| reached(&ring, ServerId(id), 5) == 2), "{ring:?}");
        assert_eq!(drawn(Shape::Ring, 3, 1), None);
    }

    #[test]
    fn one_server_of_a_bridge_reaches_all_and_the_others_reach_their_side() {
        let bridge = drawn(Shape::Bridge, 5, 1).unwrap().remove(0);
        let mut counts: Vec<usize> = (1..=5).map(|id| reached(&bridge, ServerId(id), 5)).collect();
        counts.sort_unstable();
        assert_eq!(counts, [2, 2, 2, 2, 4]);
    }

    #[test]
    fn one_way_blocks_no_direction_of_which_it_blocks_the_opposite() {
        let blocked = drawn(Shape::OneWay, 4, 1).unwrap().remove(0);
        assert!(!blocked.is_empty());
        assert!(blocked.iter().all(|(from, to)| !blocked.contains(&(*to, *from))));
    }

    #[test]
    fn flapping_and_swizzle_end_with_nothing_blocked() {
        for seed in 0..20 {
            for shape in [Shape::Flapping, Shape::Swizzle] {
                let stages = drawn(shape, 3, seed).unwrap();
                assert!(stages.len() >= 2);
                assert_eq!(stages.last(), Some(&Vec::new()));
            }
        }
    }

    #[test]
    fn no_shape_blocks_a_server_from_itself() {
        for seed in 0..20 {
            for shape in [Shape::Halves, Shape::Uneven, Shape::Ring, Shape::OneWay, Shape::Swizzle] {
                let stages = drawn(shape, 5, seed).unwrap();
                assert!(stages.iter().flatten().all(|(from, to)| from != to), "{shape:?}");
                assert!(!stages[0].is_empty(), "{shape:?}");
            }
        }
    }
}
