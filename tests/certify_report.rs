//! A report of the certification run is in its place once the run is over, and not before: an earlier report
//! stays where no run comes of it. Whether it can be written is known before the run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    unreachable_pub
)]

use std::fs;
use std::path::Path;

use money_transfer_retailer::simulator::Simulator;
use run::bare_run;
use tempfile::TempDir;

#[allow(dead_code, reason = "each test program uses a part of it")]
#[path = "certify/run.rs"]
mod run;

/// A folder with the report of an earlier run.
fn with_an_earlier_report() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["evidence.html", "evidence.json"] {
        fs::write(folder.path().join(name), "of an earlier run").unwrap();
    }
    folder
}

/// Runs with a report in that folder. Gives the exit code.
async fn report_in(folder: &Path, name: &str, more: &[&str]) -> u8 {
    let path = folder.join(name).display().to_string();
    let mut arguments = vec!["--report".to_owned(), path];
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    bare_run(arguments).await.0
}

fn told(folder: &Path) -> Vec<(String, bool)> {
    let mut found: Vec<(String, bool)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            let name = entry.file_name().into_string().unwrap();
            (name, text == "of an earlier run")
        })
        .collect();
    found.sort_unstable();
    found
}

fn both(is_earlier: bool) -> Vec<(String, bool)> {
    let names = ["evidence.html", "evidence.json"];
    names.map(|name| (name.to_owned(), is_earlier)).to_vec()
}

#[tokio::test]
async fn an_earlier_report_stays_where_no_run_comes_of_it() {
    let simulator = Simulator::start().await.unwrap();
    let base_url = simulator.base_url();
    let at = ["--base-url", &base_url, "--password-env", "PASSWORD"];
    let at_a_bad_address = ["--base-url", "http://upstream.example", "--user", "1"];
    let without_user = at.to_vec();
    let with_a_bad_merchant = [&at[..], &["--user", "1", "--merchant", "7"]].concat();
    let in_plain_http = [&at_a_bad_address[..], &["--password-env", "PASSWORD"]].concat();
    for arguments in [
        &["--frobnicate"][..],
        &["--merchant", "7"],
        &without_user,
        &with_a_bad_merchant,
        &in_plain_http,
    ] {
        let folder = with_an_earlier_report();
        let code = report_in(folder.path(), "evidence", arguments).await;
        assert_eq!(code, 2, "{arguments:?}");
        assert_eq!(told(folder.path()), both(true), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_run_that_comes_to_its_end_replaces_it_and_leaves_nothing_else() {
    let folder = with_an_earlier_report();
    let code = report_in(folder.path(), "evidence", &["--only", "lookup-order"]).await;
    assert_eq!(code, 0);
    assert_eq!(told(folder.path()), both(false));
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_found_out_before_the_run() {
    let simulator = Simulator::start().await.unwrap();
    let base_url = simulator.base_url();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("folder.json")).unwrap();
    let at = ["--base-url", &base_url, "--user", "1"];
    let arguments = [&at[..], &["--password-env", "PASSWORD"]].concat();
    for name in ["folder.json", "folder", "nowhere/at/all"] {
        let code = report_in(folder.path(), name, &arguments).await;
        assert_eq!(code, 2, "{name}");
    }
    assert_eq!(simulator.book().messages().count(), 0, "nothing was sent");
    let left = told(folder.path());
    assert_eq!(left.len(), 1, "{left:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn where_a_link_leads_the_report_is_and_others_may_read_it() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = with_an_earlier_report();
    let link = folder.path().join("link.json");
    symlink(folder.path().join("evidence.json"), &link).unwrap();
    let code = report_in(folder.path(), "link.json", &["--only", "lookup-order"]).await;
    assert_eq!(code, 0);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let file = folder.path().join("evidence.json");
    assert!(fs::read_to_string(&file).unwrap().starts_with('{'));
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&file), mode(&plain));
}
