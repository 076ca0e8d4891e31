//! One trial: a copy of a queue is hurt, opened, delivered and opened again; and what that comes to.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use crate::pristine::{Fate, Heard, Pristine, Settled, Upstream, all_files, copy_of};
use crate::till::{PROXY, QUEUE, SAYS};
use crate::wound::Wound;

/// Longer than any open takes, and than the till waits for its deliveries.
const DEADLINE: Duration = Duration::from_secs(60);

/// Names a till that was built to abort on a panic.
const TILL: &str = "DAMAGE_TILL";

/// What a till said, and how it ended.
#[derive(Debug, Default)]
pub struct Said {
    lines: Vec<String>,
    complaints: String,
    is_over: bool,
    is_aborted: bool,
    pub took: Duration,
}

impl Said {
    fn all(&self, what: &str) -> impl Iterator<Item = &str> {
        let prefix = format!("{what} ");
        let lines = self.lines.iter();
        lines.filter_map(move |line| line.strip_prefix(&prefix))
    }

    fn ids(&self, what: &str) -> HashSet<String> {
        let ids = self.all(what).filter_map(|line| line.split(' ').next());
        ids.map(str::to_owned).collect()
    }

    /// The undecided requests whose receipts are gone without a word. Those in doubt may never have had one.
    fn receipts_lost_in_silence(&self) -> impl Iterator<Item = &str> {
        let named = self.ids("no-receipt");
        let is_silent = !self.has_said("lost-unknown");
        let without = self
            .all("undecided")
            .filter_map(|said| said.strip_suffix(" false"));
        without.filter(move |id| is_silent && !named.contains(*id))
    }

    fn has_said(&self, line: &str) -> bool {
        self.lines.iter().any(|said| said == line)
    }
}

/// What is left of a trial.
pub struct Outcome {
    pub wound: Wound,
    /// What is wrong, if anything is.
    pub broken: Vec<String>,
    /// How many acknowledged requests came out otherwise than they should, and were reported.
    pub reported: usize,
    pub has_found: bool,
    pub is_unknown: bool,
    pub is_aborted: bool,
    pub longest_open: Duration,
}

/// Runs the trial of `seed` on a copy of `pristine`; `other` is another queue of this upstream.
pub fn run(pristine: &Pristine, other: &Path, upstream: &Upstream, seed: u64) -> Outcome {
    let copy = copy_of(pristine.directory.path());
    let mut random = fastrand::Rng::with_seed(seed);
    let wound = Wound::draw(copy.path(), other, &mut random);
    wound.inflict(copy.path(), &mut random);
    let before = promise_of(copy.path());
    let readable: HashSet<String> = pristine
        .records
        .readable_in(copy.path())
        .into_iter()
        .collect();
    let hurt = keep_hurt().then(|| copy_of(copy.path()));
    let mut first = open_and_deliver(copy.path(), upstream);
    let is_aborted = first.is_aborted;
    let mut broken = Vec::new();
    if is_aborted {
        if !copy.path().join("index/opening").exists() {
            broken.push("it aborted outside of the opening of the index".to_owned());
        }
        first = open_and_deliver(copy.path(), upstream);
    }
    let heard = upstream.heard();
    let again = open_and_deliver(copy.path(), upstream);
    let resent = upstream.heard();
    let mut reported = 0;
    if wound.is_undecidable() {
        broken.extend([&first, &again].into_iter().filter_map(no_refusal));
        broken.extend(sent_by_nobody(&[heard, resent].concat()));
    } else {
        let verdict = Verdict::of(pristine, &readable, &first, &heard);
        reported = verdict.reported;
        broken.extend(verdict.broken);
        broken.extend(both_directions(heard.iter().chain(&resent)));
        broken.extend(second_open(&first, &again, &resent));
        broken.extend(not_set_aside(&wound, &first, reported));
    }
    broken.extend(touched(&wound, &before, &promise_of(copy.path())));
    if let (Some(hurt), false) = (hurt, broken.is_empty()) {
        broken.push(format!("the queue as it was is kept in {:?}", hurt.keep()));
    }
    Outcome {
        wound,
        reported,
        has_found: first
            .all("found")
            .chain(first.all("no-receipt"))
            .next()
            .is_some(),
        is_unknown: first.has_said("lost-unknown"),
        is_aborted,
        longest_open: first.took.max(again.took),
        broken,
    }
}

fn keep_hurt() -> bool {
    std::env::var_os("DAMAGE_SEED").is_some()
}

/// What went through a damaged queue, held against what was acknowledged.
struct Verdict {
    broken: Vec<String>,
    reported: usize,
}

impl Verdict {
    /// Whatever is reported: what is `readable` is what becomes of its request, nothing that was settled is
    /// sent but a repeat of the same bytes, and that only where its last record cannot be read.
    fn of(
        pristine: &Pristine,
        readable: &HashSet<String>,
        said: &Said,
        heard: &[Heard],
    ) -> Verdict {
        let mut verdict = Verdict {
            broken: how_it_ended(said),
            reported: 0,
        };
        let mut by_request: BTreeMap<&str, Vec<&Heard>> = BTreeMap::new();
        for one in heard {
            by_request.entry(&one.request_id).or_default().push(one);
        }
        let (lost, undecided) = (said.ids("lost"), said.ids("undecided"));
        let is_unknown = said.has_said("lost-unknown");
        for (id, fate) in &pristine.fates {
            let heard = by_request.remove(id.as_str()).unwrap_or_default();
            let body = pristine.bodies.get(id).or(pristine.settled.get(id));
            let is_listed = undecided.contains(id);
            if let Some(wrong) = contradiction(*fate, &heard, body) {
                verdict.broken.push(format!("{fate:?} {id} {wrong}"));
            } else if !is_met(*fate, &heard, is_listed) {
                verdict.reported += 1;
                // One without an answer is reversed, or waits for a person.
                let waits = *fate == Fate::Unanswered && is_listed;
                if readable.contains(id) && !waits {
                    let wrong =
                        format!("{fate:?} {id} can be read, and came out otherwise: {heard:?}");
                    verdict.broken.push(wrong);
                }
                if !lost.contains(id) && !is_unknown {
                    let silent = format!("{fate:?} {id} is lost in silence: {heard:?}");
                    verdict.broken.push(silent);
                }
            }
        }
        for id in said.receipts_lost_in_silence() {
            verdict
                .broken
                .push(format!("the receipt of {id} is lost in silence"));
        }
        for id in by_request.keys() {
            verdict.broken.push(format!("nobody ever asked for {id}"));
        }
        verdict
    }
}

fn how_it_ended(said: &Said) -> Vec<String> {
    let mut broken = Vec::new();
    if !said.is_over {
        broken.push(format!("it hung, or crashed: {}", said.complaints));
    }
    for failure in ["not-opened", "not-adopted", "stuck"] {
        broken.extend(said.all(failure).map(|what| format!("{failure} {what}")));
    }
    // sled's own are caught, and are why the index can be thrown away.
    for line in said.complaints.lines().filter(|line| is_our_panic(line)) {
        broken.push(line.to_owned());
    }
    broken
}

fn is_our_panic(line: &str) -> bool {
    line.contains("panicked at") && !line.contains("/sled-")
}

/// What must not be, whatever is reported.
fn contradiction(fate: Fate, heard: &[&Heard], body: Option<&Vec<u8>>) -> Option<String> {
    let is_allowed = |one: &&Heard| match fate {
        Fate::Confirmed => one.operation.is_confirmation(),
        Fate::Reversed | Fate::Unanswered => one.operation.is_reversal(),
        Fate::Undecided => false,
        Fate::Final(settled) => match settled {
            Settled::Confirmed => one.operation.is_confirmation(),
            Settled::Reversed => one.operation.is_reversal(),
            Settled::Declined => false,
        },
    };
    if let Some(wrong) = heard.iter().find(|one| !is_allowed(one)) {
        return Some(format!("became {}", wrong.operation));
    }
    let is_decided = fate != Fate::Unanswered;
    let is_altered = |one: &&Heard| body.is_none_or(|body| *body != one.body);
    (is_decided && heard.iter().any(is_altered)).then(|| "went out altered".to_owned())
}

fn is_met(fate: Fate, heard: &[&Heard], is_listed: bool) -> bool {
    match fate {
        Fate::Confirmed | Fate::Reversed | Fate::Unanswered => !heard.is_empty(),
        Fate::Undecided => is_listed,
        Fate::Final(_) => heard.is_empty(),
    }
}

/// The requests that are both confirmed and reversed, whenever that was.
fn both_directions<'a>(heard: impl Iterator<Item = &'a Heard> + Clone) -> Vec<String> {
    let ids_of = |wanted: fn(&Heard) -> bool| -> BTreeSet<&str> {
        let of_kind = heard.clone().filter(|one| wanted(one));
        of_kind.map(|one| one.request_id.as_str()).collect()
    };
    let confirmed = ids_of(|one| one.operation.is_confirmation());
    let reversed = ids_of(|one| one.operation.is_reversal());
    let both = confirmed.intersection(&reversed);
    both.map(|id| format!("{id} is both confirmed and reversed"))
        .collect()
}

/// What is wrong with an open that has to be refused because the segments are of two queues.
fn no_refusal(said: &Said) -> Option<String> {
    let is_typed = |why: &str| why.starts_with("Store(Mixed");
    let is_refused = said.is_over && said.all("not-opened").any(is_typed);
    (!is_refused).then(|| format!("it is not refused: {said:?}"))
}

fn sent_by_nobody(sent: &[Heard]) -> Option<String> {
    (!sent.is_empty()).then(|| format!("a queue that was refused sends {sent:?}"))
}

/// What is wrong where a segment of another queue should have been told of, and nothing else.
fn not_set_aside(wound: &Wound, said: &Said, reported: usize) -> Option<String> {
    let name = wound.foreign_segment()?;
    let told = format!("the file {name} is of another queue");
    let is_told = said.all("found").any(|found| found.starts_with(&told));
    (!is_told || reported > 0).then(|| format!("another queue changes something: {said:?}"))
}

/// The files that should have been left alone, and were not.
fn touched(wound: &Wound, before: &Files, after: &Files) -> Vec<String> {
    let name = wound.foreign_segment();
    let is_to_stay =
        |path: &Path| wound.is_undecidable() || name.is_some_and(|name| path.ends_with(name));
    let paths: BTreeSet<&PathBuf> = before.keys().chain(after.keys()).collect();
    let touched = paths
        .into_iter()
        .filter(|path| is_to_stay(path) && before.get(*path) != after.get(*path));
    touched
        .map(|path| format!("{} is not left alone", path.display()))
        .collect()
}

/// Files with what is in them.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// What of the queue in `directory` is not made anew at every open.
fn promise_of(directory: &Path) -> Files {
    let parts = ["journal", "audit", "vault"].map(|part| directory.join(part));
    let files = all_files(directory).into_iter();
    let kept = files.filter(|file| parts.iter().any(|part| file.starts_with(part)));
    kept.map(|file| (file.clone(), fs::read(file).unwrap()))
        .collect()
}

/// What a second open does differently from the first, though it should not.
fn second_open(first: &Said, again: &Said, resent: &[Heard]) -> Vec<String> {
    let mut broken: Vec<String> = how_it_ended(again)
        .into_iter()
        .map(|wrong| format!("at the second open: {wrong}"))
        .collect();
    if again.is_aborted {
        broken.push("the second open aborted".to_owned());
    }
    // What lies there and is none of ours is left alone, and found again.
    let found = |said: &&str| !said.starts_with("the file ");
    if again.has_said("lost-unknown") || again.all("found").any(|said| found(&said)) {
        broken.push(format!("the second open finds, too: {:?}", again.lines));
    }
    if first.ids("undecided") != again.ids("undecided") {
        broken.push("the second open lists others as undecided".to_owned());
    }
    if !resent.is_empty() {
        broken.push(format!("the second open sends {resent:?}"));
    }
    broken
}

/// Lets a till of its own open the queue and deliver everything.
pub fn open_and_deliver(queue: &Path, upstream: &Upstream) -> Said {
    let mut complaints = tempfile::tempfile().unwrap();
    let mut sayings = tempfile::tempfile().unwrap();
    let start = Instant::now();
    let mut till = till_command()
        .env(QUEUE, queue)
        .env(PROXY, upstream.proxy())
        .stdin(Stdio::null())
        .stdout(sayings.try_clone().unwrap())
        .stderr(complaints.try_clone().unwrap())
        .spawn()
        .unwrap();
    let status = loop {
        match till.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if start.elapsed() > DEADLINE => {
                till.kill().unwrap();
                till.wait().unwrap();
                break None;
            }
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    let took = start.elapsed();
    let heard = text_of(&mut sayings);
    // The harness may have begun the line.
    let lines = heard.lines().filter_map(|line| line.split_once(SAYS));
    Said {
        lines: lines.map(|(_, said)| said.trim().to_owned()).collect(),
        complaints: text_of(&mut complaints),
        is_over: status.is_some_and(|status| status.success()),
        is_aborted: status.is_some_and(|status| status.code().is_none()),
        took,
    }
}

fn till_command() -> Command {
    if let Some(till) = std::env::var_os(TILL) {
        return Command::new(PathBuf::from(till));
    }
    let mut this = Command::new(std::env::current_exe().unwrap());
    this.args(["--exact", "till_process", "--ignored", "--nocapture"]);
    this
}

fn text_of(file: &mut std::fs::File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
