use super::*;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

fn link() -> Link {
    Link::new(RetryPolicy::default().jitter(0.0))
}

fn hear(link: &Link, word: Word) -> bool {
    link.hear(word, Ear::Worker, Timestamp::unix_epoch())
}

fn trouble(trouble: Trouble) -> Word {
    Word::Trouble(trouble, None)
}

/// How long no advice may be sent.
fn closed_for(link: &Link) -> Duration {
    match link.permit(0) {
        Permit::NotBefore(at) => at - Instant::now(),
        Permit::Granted => Duration::ZERO,
        Permit::Busy => panic!("nothing is under way"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_is_enough_where_the_next_would_fare_no_better() {
    use Trouble as T;
    for certain in [T::Unreachable, T::Tls, T::NoAnswer, T::Credentials] {
        let link = link();
        hear(&link, trouble(certain));
        assert!(link.is_down(), "{certain:?}");
    }
    for doubtful in [T::OutOfOrder, T::WrongAddress, T::Gateway, T::Local] {
        let link = link();
        for _ in 1..DOUBTS {
            hear(&link, trouble(doubtful));
            assert!(!link.is_down(), "{doubtful:?}");
        }
        hear(&link, trouble(doubtful));
        assert!(link.is_down(), "{doubtful:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn doubts_count_in_a_row_only() {
    let link = link();
    for _ in 0..10 {
        hear(&link, trouble(Trouble::OutOfOrder));
        hear(&link, Word::Nothing);
        hear(&link, trouble(Trouble::OutOfOrder));
        hear(&link, Word::Service);
    }
    assert!(!link.is_down());
    assert_eq!(link.trouble(), None);
}

#[tokio::test(start_paused = true)]
async fn probes_go_one_at_a_time_and_ever_less_often() {
    let link = link();
    hear(&link, trouble(Trouble::Unreachable));
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let pause = Duration::from_secs(seconds);
        assert_eq!(closed_for(&link), pause);
        advance(pause).await;
        assert_eq!(link.permit(0), Permit::Granted);
        assert_eq!(link.permit(1), Permit::Busy);
        hear(&link, trouble(Trouble::Unreachable));
    }
}

#[tokio::test(start_paused = true)]
async fn what_left_before_anybody_knew_is_no_failed_probe() {
    let link = link();
    for _ in 0..4 {
        hear(&link, trouble(Trouble::NoAnswer));
    }
    assert_eq!(closed_for(&link), SECOND);
    let left_alone = Word::Trouble(Trouble::Gateway, Some(5 * SECOND));
    hear(&link, left_alone);
    assert_eq!(closed_for(&link), 5 * SECOND);
    advance(5 * SECOND).await;
    hear(&link, trouble(Trouble::NoAnswer));
    assert_eq!(closed_for(&link), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_till_that_finds_it_down_delays_no_advice_and_one_that_finds_it_up_ends_the_wait() {
    let link = link();
    link.hear(
        trouble(Trouble::Unreachable),
        Ear::Till,
        Timestamp::unix_epoch(),
    );
    assert!(!link.is_down());
    hear(&link, trouble(Trouble::NoAnswer));
    for _ in 0..100 {
        link.hear(
            trouble(Trouble::Unreachable),
            Ear::Till,
            Timestamp::unix_epoch(),
        );
    }
    assert_eq!(closed_for(&link), SECOND);
    assert_eq!(link.trouble(), Some(Trouble::Unreachable));
    assert!(link.hear(Word::Service, Ear::Till, Timestamp::unix_epoch()));
    assert_eq!(link.permit(3), Permit::Granted);
    assert_eq!(link.public_state(), LinkState::Up);
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_asks_to_be_left_alone_is() {
    let link = link();
    let asked = Duration::from_secs(90);
    hear(&link, Word::Trouble(Trouble::Gateway, Some(asked)));
    assert_eq!(closed_for(&link), asked);
}

#[tokio::test(start_paused = true)]
async fn somebody_in_a_hurry_waits_for_no_pause() {
    let link = link();
    hear(&link, trouble(Trouble::Unreachable));
    link.hurry();
    assert_eq!(link.permit(0), Permit::Granted);
    assert!(link.is_down());
}

#[tokio::test(start_paused = true)]
async fn a_pause_without_an_end_breaks_no_clock() {
    let endless = RetryPolicy::default().pauses(Duration::MAX, Duration::MAX);
    let link = Link::new(endless);
    hear(&link, trouble(Trouble::Unreachable));
    assert!(closed_for(&link) > 300 * SECOND);
}
