use std::collections::{BTreeMap, BTreeSet};

use super::*;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// A schedule with its list, as the ledger and the worker handle them.
struct Desk {
    schedule: Schedule,
    keys: OrderKeys,
    list: BTreeMap<u64, RequestId>,
    next: u64,
}

impl Desk {
    fn new() -> Desk {
        Desk::with(Discipline::OldestFirst)
    }

    fn with(discipline: Discipline) -> Desk {
        Desk {
            schedule: Schedule::new(discipline),
            keys: OrderKeys::default(),
            list: BTreeMap::new(),
            next: 0,
        }
    }

    /// A process that finds so many advices on its list.
    fn reopened(pending: u64) -> Desk {
        let mut desk = Desk::new();
        desk.list = (0..pending)
            .map(|number| (number, RequestId::random()))
            .collect();
        desk.next = pending;
        desk.schedule.begin(desk.list.len(), pending);
        desk
    }

    fn add(&mut self) -> RequestId {
        let id = RequestId::random();
        self.list.insert(self.next, id);
        self.schedule.follow(&[(self.next, id)], &[]);
        self.next += 1;
        id
    }

    fn settle(&mut self, scheduled: Scheduled) {
        self.list.remove(&scheduled.number);
        let settled = (scheduled.number, scheduled.request_id);
        self.schedule.follow(&[], &[settled]);
    }

    fn take(&self) -> Option<Scheduled> {
        self.read();
        self.schedule.take_due()
    }

    fn read(&self) {
        while let Some(unread) = self.schedule.unread() {
            let listed = self.list.range(unread.from..).take(64);
            let listed: Vec<_> = listed.map(|(number, id)| (*number, *id)).collect();
            let is_all = listed.len() < 64;
            self.schedule.take_in(unread, &listed, is_all);
        }
    }

    fn may_go(&self, scheduled: Scheduled, order: &str) -> bool {
        self.schedule.may_go(scheduled, Some(self.keys.key(order)))
    }
}

#[tokio::test(start_paused = true)]
async fn of_what_is_due_the_oldest_goes_first() {
    let mut desk = Desk::reopened(3);
    let (fourth, fifth) = (desk.add(), desk.add());
    let taken: Vec<u64> = std::iter::from_fn(|| desk.take())
        .map(|one| one.number)
        .collect();
    assert_eq!(taken, [0, 1, 2, 3, 4]);
    assert_eq!(desk.schedule.position(fourth), Some(Position::InFlight));
    assert_eq!(desk.schedule.position(fifth), Some(Position::InFlight));
}

#[tokio::test(start_paused = true)]
async fn what_is_put_back_is_due_after_its_delay_and_not_before() {
    let mut desk = Desk::new();
    let id = desk.add();
    let delay = 5 * SECOND;
    desk.schedule.again(desk.take().unwrap(), delay);
    assert_eq!(desk.schedule.position(id), Some(Position::Waiting(delay)));
    advance(delay - Duration::from_millis(1)).await;
    assert!(desk.take().is_none());
    advance(Duration::from_millis(1)).await;
    assert_eq!(desk.take().unwrap().request_id, id);
}

#[tokio::test(start_paused = true)]
async fn what_is_on_the_list_again_outlives_the_last_word_on_its_earlier_place() {
    let mut desk = Desk::new();
    let id = desk.add();
    let refused = desk.take().unwrap();
    // Both in one commit, and the worker lets go of the first one last.
    desk.list = BTreeMap::from([(1, id)]);
    desk.schedule.follow(&[(1, id)], &[(0, id)]);
    desk.schedule.forget(refused);
    desk.schedule.again(refused, 60 * SECOND);
    let again = desk.take().unwrap();
    assert_eq!((again.number, again.request_id), (1, id));
    assert_eq!(desk.schedule.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_advice_that_waits_holds_up_no_younger_one() {
    let mut desk = Desk::new();
    desk.add();
    desk.schedule.again(desk.take().unwrap(), 60 * SECOND);
    let young = desk.add();
    assert_eq!(desk.take().unwrap().request_id, young);
}

#[tokio::test(start_paused = true)]
async fn in_order_nothing_overtakes_the_oldest() {
    let mut desk = Desk::with(Discipline::InOrder);
    let oldest = desk.add();
    desk.add();
    let taken = desk.take().unwrap();
    assert!(desk.take().is_none(), "while it is in flight");
    desk.schedule.again(taken, 60 * SECOND);
    assert!(desk.take().is_none(), "while it waits");
    assert_eq!(desk.schedule.blocking(), Some(oldest));
    assert_eq!(desk.schedule.next_due(), Some(Instant::now() + 60 * SECOND));
    advance(60 * SECOND).await;
    let taken = desk.take().unwrap();
    assert_eq!(taken.request_id, oldest);
    desk.settle(taken);
    assert_eq!(desk.take().unwrap().number, 1);
}

#[tokio::test(start_paused = true)]
async fn an_addition_before_the_wait_is_not_missed() {
    let mut desk = Desk::new();
    desk.add();
    let waited = tokio::time::timeout(SECOND, desk.schedule.changed()).await;
    assert!(waited.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_window_is_bounded_and_everything_has_its_turn() {
    let mut desk = Desk::reopened(5_000);
    let mut tried = BTreeSet::new();
    while let Some(scheduled) = desk.take() {
        tried.insert(scheduled.number);
        desk.schedule.again(scheduled, 60 * SECOND);
        assert!(desk.schedule.window() <= WINDOW + 64);
    }
    assert_eq!(tried.len(), 5_000);
    assert_eq!(desk.schedule.len(), 5_000);
    advance(ROUND + SECOND).await;
    let mut settled = 0;
    while let Some(scheduled) = desk.take() {
        desk.settle(scheduled);
        settled += 1;
    }
    assert_eq!(
        (settled, desk.schedule.len(), desk.schedule.window()),
        (5_000, 0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_full_window_of_those_that_wait_holds_up_no_younger_one() {
    let mut desk = Desk::new();
    for _ in 0..3 * WINDOW {
        desk.add();
        if let Some(scheduled) = desk.take() {
            desk.schedule.again(scheduled, 60 * SECOND);
        }
    }
    let young = desk.add();
    assert_eq!(desk.take().unwrap().request_id, young);
}

#[tokio::test(start_paused = true)]
async fn advices_of_one_order_go_one_after_the_other() {
    let mut desk = Desk::new();
    desk.add();
    desk.add();
    let (first, second) = (desk.take().unwrap(), desk.take().unwrap());
    assert!(desk.may_go(first, "order"));
    assert!(!desk.may_go(second, "order"));
    assert!(desk.take().is_none());
    desk.schedule.again(first, SECOND);
    advance(SECOND).await;
    let first = desk.take().unwrap();
    assert_eq!(first.number, 0);
    assert!(desk.may_go(first, "order"));
    desk.settle(first);
    let second = desk.take().unwrap();
    assert!(desk.may_go(second, "order"));
}

#[tokio::test(start_paused = true)]
async fn an_order_keeps_its_order_even_where_its_oldest_advice_was_left_out() {
    let mut desk = Desk::new();
    for _ in 0..2 * WINDOW {
        desk.add();
        let scheduled = desk.take().unwrap();
        // One that the sieve takes for another order's is held back, and no less left out.
        let _ = desk.may_go(scheduled, &scheduled.number.to_string());
        desk.schedule
            .again(scheduled, 60 * SECOND + SECOND * scheduled.number as u32);
    }
    let left_out = 2 * WINDOW as u64 - 2;
    assert_eq!(desk.schedule.position(desk.list[&left_out]), None);
    desk.add();
    let young = desk.take().unwrap();
    assert!(!desk.may_go(young, &left_out.to_string()));
    advance(ROUND + SECOND).await;
    let mut went = Vec::new();
    while let Some(scheduled) = desk.take() {
        let order = match scheduled.number == young.number {
            true => left_out.to_string(),
            false => scheduled.number.to_string(),
        };
        if desk.may_go(scheduled, &order) {
            went.push(scheduled.number);
            desk.settle(scheduled);
        }
    }
    let place = |number: u64| went.iter().position(|went| *went == number);
    assert!(place(left_out).unwrap() < place(young.number).unwrap());
    while desk.schedule.len() > 0 {
        advance(ROUND).await;
        while let Some(scheduled) = desk.take() {
            desk.settle(scheduled);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_pending_at_the_open_waits_and_what_is_new_does_not() {
    let mut desk = Desk::reopened(2);
    desk.schedule.hold_backlog(SECOND);
    let young = desk.add();
    assert_eq!(desk.take().unwrap().request_id, young);
    assert!(desk.take().is_none());
    advance(SECOND).await;
    let old = desk.take().unwrap();
    assert_eq!((old.number, old.possibly_sent), (0, true));
}

#[tokio::test(start_paused = true)]
async fn what_is_new_overtakes_nothing_of_its_order_that_was_pending_at_the_open() {
    let mut desk = Desk::reopened(1);
    desk.schedule.hold_backlog(SECOND);
    desk.add();
    let young = desk.take().unwrap();
    assert!(!desk.may_go(young, "order"));
    advance(SECOND).await;
    let old = desk.take().unwrap();
    assert_eq!(old.number, 0);
    assert!(desk.may_go(old, "order"));
    let young = desk.take().unwrap();
    assert!(!desk.may_go(young, "order"));
    desk.settle(old);
    assert_eq!(desk.take().unwrap().request_id, young.request_id);
}

#[tokio::test(start_paused = true)]
async fn somebody_in_a_hurry_makes_everything_due() {
    let mut desk = Desk::reopened(1);
    desk.schedule.hold_backlog(60 * SECOND);
    desk.add();
    desk.schedule.again(desk.take().unwrap(), 60 * SECOND);
    assert!(desk.take().is_none());
    desk.schedule.hurry();
    assert_eq!(desk.take().unwrap().number, 0);
    assert_eq!(desk.take().unwrap().number, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_there_and_not_handed_out_until_it_is_released() {
    let mut desk = Desk::new();
    desk.schedule.hold();
    let id = desk.add();
    assert!(desk.take().is_none() && desk.schedule.next_due().is_none());
    assert_eq!(desk.schedule.position(id), Some(Position::Held));
    assert_eq!(desk.schedule.len(), 1);
    desk.schedule.release();
    assert_eq!(desk.take().unwrap().request_id, id);
}

#[tokio::test(start_paused = true)]
async fn what_was_left_out_waits_no_longer_than_the_longest_pause() {
    let pause = 10 * SECOND;
    let mut desk = Desk::reopened(5_000);
    desk.schedule = desk.schedule.with_rounds_of(pause);
    let mut tried = BTreeSet::new();
    while let Some(scheduled) = desk.take() {
        tried.insert(scheduled.number);
        desk.schedule.again(scheduled, pause);
    }
    assert_eq!(tried.len(), 5_000);
    advance(pause + SECOND).await;
    while let Some(scheduled) = desk.take() {
        desk.settle(scheduled);
    }
    assert_eq!(desk.schedule.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn while_the_upstream_is_down_no_new_decision_probes_before_the_backlog() {
    let mut desk = Desk::reopened(1);
    desk.schedule.hold_backlog(30 * SECOND);
    desk.read();
    desk.add();
    advance(31 * SECOND).await;
    desk.read();
    let probe = desk.schedule.take_longest_due().unwrap();
    assert_eq!(probe.number, 0);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_any_size_goes_out_oldest_first_after_its_pause() {
    let mut desk = Desk::reopened(5_000);
    desk.schedule.hold_backlog(SECOND);
    assert!(desk.take().is_none(), "while the backlog waits");
    let newcomer = desk.add();
    assert!(
        desk.take().is_none(),
        "what is new may be about the same order"
    );
    assert_eq!(desk.schedule.window(), WINDOW);
    advance(SECOND).await;
    for number in 0..5_000 {
        let taken = desk.take().expect("the next is due");
        assert_eq!(taken.number, number);
        desk.settle(taken);
    }
    assert_eq!(desk.take().unwrap().request_id, newcomer);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_waits_for_longer_than_a_round_wakes_nobody_before() {
    let hour = 3_600 * SECOND;
    let schedule = Schedule::default();
    let count = WINDOW as u64 + 100;
    schedule.begin(count as usize, count);
    schedule.hold_backlog(hour);
    let due_at = Instant::now() + hour;
    let list: Vec<_> = (0..count)
        .map(|number| (number, RequestId::random()))
        .collect();
    schedule.take_in(schedule.unread().unwrap(), &list, true);
    tokio::time::advance(2 * ROUND).await;
    assert!(schedule.unread().is_none());
    assert_eq!(schedule.next_due(), Some(due_at));
}

#[tokio::test(start_paused = true)]
async fn how_many_records_cannot_be_read_is_known_beyond_the_window() {
    let count = WINDOW as u64 + 500;
    let desk = Desk::reopened(count);
    for _ in 0..count {
        let taken = desk.take().unwrap();
        let unread = taken.unread + 1;
        desk.schedule
            .again(Scheduled { unread, ..taken }, 2 * ROUND);
    }
    assert_eq!(desk.schedule.unreadable(), (0, count as usize));
    advance(3 * ROUND).await;
    while let Some(taken) = desk.take() {
        assert!(taken.unread > 0, "{}", taken.number);
        let unread = taken.unread + 1;
        desk.schedule
            .again(Scheduled { unread, ..taken }, 100 * ROUND);
    }
    assert_eq!(desk.schedule.unreadable(), (0, count as usize));
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_sent_without_a_trace_is_no_more_than_the_window_holds() {
    let mut desk = Desk::new();
    for _ in 0..WINDOW + 500 {
        desk.add();
    }
    for _ in 0..WINDOW + 500 {
        let Some(taken) = desk.take() else { break };
        let possibly_sent = true;
        desk.schedule.again(
            Scheduled {
                possibly_sent,
                ..taken
            },
            100 * ROUND,
        );
    }
    assert!(
        desk.schedule.window() <= WINDOW + FEW,
        "{}",
        desk.schedule.window()
    );
    // There is room for the others once something is settled.
    desk.schedule.hurry();
    let mut settled = 0;
    while let Some(taken) = desk.take() {
        desk.settle(taken);
        settled += 1;
    }
    assert_eq!(settled, WINDOW + 500);
}
