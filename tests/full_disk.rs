//! A full disk loses nothing that was acknowledged: decisions on money already taken go into room that
//! was kept for them, new requests are refused before anything is sent, and when there is room again work
//! goes on.

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

#[path = "full_disk/session.rs"]
mod session;
#[path = "support/small_disk.rs"]
mod small_disk;
mod support;

use session::{POINTS, Session};
use small_disk::{Kind, own_disk, with_disk};

const POINT: &str = "FULL_AT";
const GREEDY: &str = "FULL_GREEDY";

#[test]
fn a_disk_in_memory_that_is_full_at_some_points_of_a_session_loses_nothing() {
    fill_at(Kind::Memory, [(2, false), (4, true)]);
}

/// Run by the continuous integration; here it would take too long.
#[test]
#[ignore = "slow: every point of a session"]
fn a_disk_in_memory_that_is_full_at_any_point_of_a_session_loses_nothing() {
    fill_at(Kind::Memory, every_point());
}

/// Run by the continuous integration, where there are root and loop devices.
#[test]
#[ignore = "slow, and needs root and a loop device"]
fn a_disk_that_gives_away_what_it_has_not_loses_nothing_at_any_point_of_a_session() {
    fill_at(Kind::Ext4, every_point());
}

/// Run by the continuous integration, where there are root and loop devices.
#[test]
#[ignore = "slow, and needs root and a loop device"]
fn thousands_of_decisions_fit_into_the_room_that_is_kept_for_them() {
    for kind in [Kind::Memory, Kind::Ext4] {
        println!("{kind:?}:");
        let is_well = with_disk(kind, 96, "reserve_on_a_small_disk", &[]);
        assert!(is_well.expect("no such disk can be mounted here"));
    }
}

fn every_point() -> impl Iterator<Item = (usize, bool)> {
    (0..POINTS).flat_map(|point| [(point, false), (point, true)])
}

fn fill_at(kind: Kind, points: impl IntoIterator<Item = (usize, bool)>) {
    // Enough for all segments of the session, and for what the file system keeps to itself.
    let mebibytes = match kind {
        Kind::Memory => 28,
        Kind::Ext4 => 44,
    };
    for (point, is_greedy) in points {
        let variables = [(POINT, point.to_string()), (GREEDY, is_greedy.to_string())];
        match with_disk(kind, mebibytes, "session_on_a_small_disk", &variables) {
            Some(is_well) => assert!(is_well, "{kind:?}, {POINT}={point} {GREEDY}={is_greedy}"),
            None if matches!(kind, Kind::Ext4) => {
                panic!("only root may mount it: run this as root")
            }
            None => return println!("SKIPPED: no {kind:?} disk can be mounted here"),
        }
    }
}

/// Not a test: one session, whose disk is full from one point of it on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests, on a disk of its own"]
async fn session_on_a_small_disk() {
    let Some(disk) = own_disk() else { return };
    let point = std::env::var(POINT).unwrap().parse().unwrap();
    let is_greedy = std::env::var(GREEDY).unwrap() == "true";
    let mut session = Session::start(disk).await;
    println!(
        "full at {point}, greedy: {is_greedy}: {}",
        session.run(point, is_greedy).await
    );
}

/// Not a test: counts the decisions that are stored on a full disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by the other tests, on a disk of its own"]
async fn reserve_on_a_small_disk() {
    let Some(disk) = own_disk() else { return };
    let mut session = Session::start(disk).await;
    println!("{}", session.measure_reserve().await);
}
