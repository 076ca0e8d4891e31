//! How the network and the disk fare: spans of time, drawn from the seed.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::upstream::Curse;
use super::world::{About, DAY, HOUR, MINUTE, Millis, SECOND, dice};

const ORDER: Ordering = Ordering::SeqCst;

/// For how long there is weather.
const HORIZON: Millis = 120 * DAY;

/// The longest way of a message to the upstream. Shorter than twice the timeout of a request: after that
/// the interface takes it for lost.
const LONGEST_WAY: Millis = 110 * SECOND;

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sky {
    Fair,
    /// Anything may happen to a message.
    Mixed,
    /// Answers may come when nobody waits for them any more.
    Slow,
    /// No connection is made.
    Refused,
    /// Messages go, and nothing comes back.
    Silent,
    /// A gateway answers in the place of the service, and may ask to be left alone.
    Gateway,
    /// The credentials are refused.
    Locked,
    /// Somebody else's pages.
    Stranger,
    /// Connections break.
    Torn,
    /// The service refuses whatever it is sent.
    Refusing,
}

/// What the till gets to hear in the place of the service's answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Noise {
    /// A page with this status, and for how many seconds its sender wants to be left alone.
    Page(u16, Option<u64>),
    /// `AUTHENTICATION_ERROR`.
    Unauthorised,
    /// A success that ends in the middle.
    Truncated,
    /// A success whose connection breaks before its end.
    CutOff,
    /// A success for another message.
    OfAnother,
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Back {
    /// The answer, so long after the message arrived.
    Answer(Millis),
    /// The answer to the second copy.
    Echo(Millis),
    Noise(Millis, Noise),
    /// No connection was made, which took so long.
    NotConnected(Millis),
    /// The connection breaks after so long.
    Torn(Millis),
    Silence,
}

/// How one sending fares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fate {
    /// How long it is on its way, if it arrives.
    pub(super) arrives: Option<Millis>,
    /// The same for a copy that somebody on the way makes of it.
    pub(super) copy: Option<Millis>,
    pub(super) back: Back,
}

/// What the network has to know of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cargo {
    Request,
    Advice,
    Query,
}

#[derive(Debug)]
struct Span<T> {
    from: Millis,
    until: Millis,
    kind: T,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Disk {
    Full,
    /// What room there is is kept for decisions.
    Tight,
    Unreadable,
    Failing,
}

pub(super) struct Weather {
    skies: Vec<Span<Sky>>,
    disks: Vec<Span<Disk>>,
    /// For as long as this everything is fair, whatever was drawn.
    fair_until: AtomicU64,
    /// Whether no message is bewitched any more.
    is_healed: AtomicBool,
}

impl Weather {
    pub(super) fn new(seed: u64) -> Weather {
        Weather {
            skies: skies(&mut dice(seed, About::Spans, 0)),
            disks: disks(&mut dice(seed, About::Spans, 1)),
            fair_until: AtomicU64::new(0),
            is_healed: AtomicBool::new(false),
        }
    }

    /// Clears up for good.
    pub(super) fn clear_up(&self) {
        self.be_fair_until(Millis::MAX);
        self.is_healed.store(true, ORDER);
    }

    /// Whether one advice fares worse than all others, and how.
    pub(super) fn curse(&self, dice: &mut fastrand::Rng, first_sent_at: Millis) -> Option<Curse> {
        if self.is_healed.load(ORDER) {
            return None;
        }
        match dice.u8(..40) {
            0 => Some(Curse::Refused),
            1 => Some(Curse::FailsUntil(
                first_sent_at + dice.u64(MINUTE..5 * HOUR),
            )),
            _ => None,
        }
    }

    pub(super) fn be_fair_until(&self, until: Millis) {
        self.fair_until.store(until, ORDER);
    }

    pub(super) fn is_fair(&self, now: Millis) -> bool {
        now < self.fair_until.load(ORDER)
    }

    fn sky(&self, now: Millis) -> Sky {
        match self.is_fair(now) {
            true => Sky::Fair,
            false => at(&self.skies, now).map_or(Sky::Fair, |span| span.kind),
        }
    }

    /// When the service became unreachable for everybody, if it is: its word has not been heard since.
    pub(super) fn out_since(&self, now: Millis) -> Option<Millis> {
        if self.is_fair(now) {
            return None;
        }
        let span = at(&self.skies, now)?;
        let is_out = matches!(
            span.kind,
            Sky::Refused | Sky::Silent | Sky::Gateway | Sky::Stranger
        );
        let fair_until = self.fair_until.load(ORDER);
        is_out.then_some(span.from.max(fair_until))
    }

    pub(super) fn fate(&self, cargo: Cargo, dice: &mut fastrand::Rng, now: Millis) -> Fate {
        match self.sky(now) {
            Sky::Fair => fair(dice),
            Sky::Mixed => mixed(cargo, dice),
            Sky::Slow => Fate {
                arrives: Some(dice.u64(0..LONGEST_WAY)),
                ..fair(dice)
            },
            Sky::Refused => lost(Back::NotConnected(dice.u64(1..10 * SECOND))),
            Sky::Silent => maybe_lost(dice, Back::Silence),
            Sky::Gateway => gateway(dice),
            Sky::Locked => locked(dice),
            Sky::Stranger => stranger(dice),
            Sky::Torn => {
                let torn = Back::Torn(dice.u64(1..20 * SECOND));
                maybe_lost(dice, torn)
            }
            Sky::Refusing => fair(dice),
        }
    }

    /// Whether the service refuses whatever it is sent.
    pub(super) fn is_refusing(&self, now: Millis) -> bool {
        self.sky(now) == Sky::Refusing
    }

    fn disk(&self, now: Millis) -> Option<Disk> {
        match self.is_fair(now) {
            true => None,
            false => at(&self.disks, now).map(|span| span.kind),
        }
    }

    pub(super) fn is_full(&self, now: Millis) -> bool {
        self.disk(now) == Some(Disk::Full)
    }

    pub(super) fn is_tight(&self, now: Millis) -> bool {
        matches!(self.disk(now), Some(Disk::Full | Disk::Tight))
    }

    pub(super) fn is_unreadable(&self, now: Millis) -> bool {
        self.disk(now) == Some(Disk::Unreadable)
    }

    pub(super) fn fails_to_write(&self, dice: &mut fastrand::Rng, now: Millis) -> bool {
        self.disk(now) == Some(Disk::Failing) && dice.u8(..4) == 0
    }
}

fn at<T>(spans: &[Span<T>], now: Millis) -> Option<&Span<T>> {
    let behind = spans.partition_point(|span| span.from <= now);
    let span = spans.get(behind.checked_sub(1)?)?;
    (now < span.until).then_some(span)
}

fn skies(dice: &mut fastrand::Rng) -> Vec<Span<Sky>> {
    use Sky as S;
    let kinds = [
        S::Mixed,
        S::Mixed,
        S::Mixed,
        S::Slow,
        S::Refused,
        S::Refused,
        S::Silent,
        S::Gateway,
        S::Locked,
        S::Stranger,
        S::Torn,
        S::Refusing,
    ];
    spans(dice, 10 * HOUR, |dice| {
        let longest = if dice.u8(..8) == 0 {
            12 * HOUR
        } else {
            2 * HOUR
        };
        (
            kinds[dice.usize(..kinds.len())],
            dice.u64(2 * MINUTE..longest),
        )
    })
}

fn disks(dice: &mut fastrand::Rng) -> Vec<Span<Disk>> {
    use Disk as D;
    let kinds = [
        D::Full,
        D::Tight,
        D::Tight,
        D::Unreadable,
        D::Failing,
        D::Failing,
    ];
    spans(dice, 2 * DAY, |dice| {
        (kinds[dice.usize(..kinds.len())], dice.u64(SECOND..2 * HOUR))
    })
}

/// Spans with pauses between them.
fn spans<T>(
    dice: &mut fastrand::Rng,
    longest_pause: Millis,
    draw: impl Fn(&mut fastrand::Rng) -> (T, Millis),
) -> Vec<Span<T>> {
    let (mut spans, mut now) = (Vec::new(), 0);
    while now < HORIZON {
        let from = now + dice.u64(0..longest_pause);
        let (kind, length) = draw(dice);
        now = from + length;
        spans.push(Span {
            from,
            until: now,
            kind,
        });
    }
    spans
}

fn fair(dice: &mut fastrand::Rng) -> Fate {
    Fate {
        arrives: Some(dice.u64(2..300)),
        copy: None,
        back: Back::Answer(dice.u64(2..300)),
    }
}

fn lost(back: Back) -> Fate {
    Fate {
        arrives: None,
        copy: None,
        back,
    }
}

/// Nobody can tell whether it arrived.
fn maybe_lost(dice: &mut fastrand::Rng, back: Back) -> Fate {
    Fate {
        arrives: dice.bool().then(|| dice.u64(2..LONGEST_WAY)),
        copy: None,
        back,
    }
}

fn gateway(dice: &mut fastrand::Rng) -> Fate {
    let asked = (dice.u8(..4) == 0).then(|| dice.u64(1..7_200));
    let status = [502, 503, 504, 429][dice.usize(..4)];
    let page = Back::Noise(dice.u64(1..SECOND), Noise::Page(status, asked));
    maybe_lost(dice, page)
}

/// Turned away at the door, and not passed on.
fn locked(dice: &mut fastrand::Rng) -> Fate {
    let noise = match dice.u8(..3) {
        0 => Noise::Page(401, None),
        1 => Noise::Page(403, None),
        _ => Noise::Unauthorised,
    };
    lost(Back::Noise(dice.u64(1..SECOND), noise))
}

fn stranger(dice: &mut fastrand::Rng) -> Fate {
    let status = [404, 405, 302, 200][dice.usize(..4)];
    lost(Back::Noise(dice.u64(1..SECOND), Noise::Page(status, None)))
}

fn mixed(cargo: Cargo, dice: &mut fastrand::Rng) -> Fate {
    match dice.u8(..20) {
        0..6 => fair(dice),
        6 => lost(Back::NotConnected(dice.u64(1..10 * SECOND))),
        7..9 => maybe_lost(dice, Back::Silence),
        9..11 => {
            let torn = Back::Torn(dice.u64(1..20 * SECOND));
            maybe_lost(dice, torn)
        }
        11..13 => Fate {
            arrives: Some(dice.u64(0..LONGEST_WAY)),
            ..fair(dice)
        },
        13..15 => copied(cargo, dice),
        15 => gateway(dice),
        16 => locked(dice),
        17 => stranger(dice),
        _ => garbled(dice),
    }
}

/// A proxy that sends a message again. That the echo of a request looks like a duplicate is known of the
/// interface; of an advice it would be a rejection, and a person's to look after.
fn copied(cargo: Cargo, dice: &mut fastrand::Rng) -> Fate {
    let is_echoed = cargo == Cargo::Request && dice.bool();
    let back = dice.u64(2..300);
    let longest = if is_echoed { 10 * SECOND } else { LONGEST_WAY };
    Fate {
        arrives: Some(dice.u64(2..300)),
        copy: Some(dice.u64(300..longest)),
        back: match is_echoed {
            true => Back::Echo(back),
            false => Back::Answer(back),
        },
    }
}

/// The message is processed, and its answer is spoilt.
fn garbled(dice: &mut fastrand::Rng) -> Fate {
    let noise = match dice.u8(..6) {
        0 => Noise::Page(500, None),
        1 => Noise::Page(200, None),
        2 => Noise::Page(503, Some(dice.u64(1..600))),
        3 => Noise::Truncated,
        4 => Noise::CutOff,
        _ => Noise::OfAnother,
    };
    Fate {
        back: Back::Noise(dice.u64(1..SECOND), noise),
        ..fair(dice)
    }
}
