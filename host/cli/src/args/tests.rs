//! The command line is consistent, documented, and understood as it is meant.

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

fn apply(line: &str) -> Apply {
    match parse(line).expect("valid").verb {
        Verb::Client(Client::Apply(apply)) => apply,
        verb => panic!("{verb:?}"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_says_what_it_does_in_one_line() {
    fn check(command: &clap::Command) {
        for sub in command.get_subcommands() {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(!about.is_empty() && !about.contains('\n'), "{}: {about:?}", sub.get_name());
            for argument in sub.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {}", sub.get_name(), argument.get_id());
            }
            check(sub);
        }
    }
    check(&Cli::command());
}

#[test]
fn every_verb_is_in_the_documentation() {
    fn check(command: &clap::Command, path: &str, page: &str) {
        for sub in command.get_subcommands() {
            let path = format!("{path} {}", sub.get_name());
            assert!(page.contains(&path), "docs/cli.md does not tell of `{path}`");
            check(sub, &path, page);
        }
    }
    check(&Cli::command(), "motey", include_str!("../../../../docs/cli.md"));
}

#[test]
fn a_verb_that_asks_no_daemon_wants_no_address_of_one() {
    for line in [
        "motey run --socket /s",
        "motey config show --url http://h",
        "motey --token-file t blueprint validate x",
    ] {
        let error = parse(line).and_then(Cli::checked).expect_err(line);
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    assert!(parse("motey run --config /c").and_then(Cli::checked).is_ok());
}

#[test]
fn apply_waits_a_minute_unless_told_otherwise() {
    let apply = self::apply("motey apply -f x.yaml");
    assert_eq!((apply.wait.no_wait, apply.wait.timeout), (false, Duration::from_secs(60)));
    let apply = self::apply("motey apply -f - --timeout 5m --no-wait");
    assert_eq!((apply.wait.no_wait, apply.wait.timeout), (true, Duration::from_secs(300)));
    assert!(parse("motey apply -f x --timeout soon").is_err());
    assert!(parse("motey apply").is_err(), "a file is needed");
}

#[test]
fn which_daemon_may_be_said_before_and_after_the_verb() {
    for line in ["motey --socket /s ps", "motey ps --socket /s"] {
        assert_eq!(parse(line).expect("valid").global.socket, Some("/s".into()));
    }
    assert!(parse("motey ps --socket /s --url http://h:1").is_err(), "one or the other");
}

#[test]
fn scaling_names_an_image_or_none() {
    let of = |text: &str| text.parse::<Replicas>();
    assert_eq!(of("3"), Ok(Replicas { image: None, count: 3 }));
    assert_eq!(of("vision=0"), Ok(Replicas { image: Some("vision".into()), count: 0 }));
    for wrong in ["", "-1", "vision=", "vision", "70000"] {
        assert!(of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_setting_of_run_names_its_section() {
    assert_eq!("a.b=c=d".parse(), Ok(Assignment { key: "a.b".into(), value: "c=d".into() }));
    assert!("a=b".parse::<Assignment>().is_err());
    assert!("a.b".parse::<Assignment>().is_err());
}
