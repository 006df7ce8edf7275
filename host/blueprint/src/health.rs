//! `health`: how it is found out whether an instance does its work.

use std::ops::RangeInclusive;

use motey_core::spec::{Health, Probe};

use crate::bounds::{CHECK_INTERVAL, CHECK_RETRIES, CHECK_START, CHECK_TIMEOUT, MAX_PATH};
use crate::diagnostic::DiagnosticKind as Kind;
use crate::fields::Fields;
use crate::path::quoted;
use crate::read::At;
use crate::report::Report;
use crate::schema::Level;
use crate::{ports, units};

pub(crate) fn read(at: &At<'_>, report: &mut Report<'_>) -> Option<Health> {
    let fields = Fields::of(at.clone(), Level::Health, report)?;
    let probe = probe(at, &fields, report);
    let mut span = |key, within: RangeInclusive<u64>| {
        fields.get(key).map_or(Some(None), |at| span(at, within, report).map(Some))
    };
    let (interval, timeout) = (span("interval", CHECK_INTERVAL), span("timeout", CHECK_TIMEOUT));
    let start = span("start", CHECK_START);
    let retries = fields.get("retries").map_or(Some(None), |at| retries(at, report).map(Some));
    let usual = Health::of(probe?);
    Some(Health {
        interval: interval?.unwrap_or(usual.interval),
        timeout: timeout?.unwrap_or(usual.timeout),
        retries: retries?.unwrap_or(usual.retries),
        start: start?.unwrap_or(usual.start),
        probe: usual.probe,
    })
}

fn probe(at: &At<'_>, fields: &Fields<'_>, report: &mut Report<'_>) -> Option<Probe> {
    match (fields.get("tcp"), fields.get("http")) {
        (Some(tcp), None) => ports::number(tcp, report).map(|port| Probe::Tcp { port }),
        (None, Some(http)) => self::http(http, report),
        (Some(_), Some(http)) => {
            let message = "an instance is checked in one way: keep `tcp` or `http`";
            report.refuse(Kind::Duplicate, http, message);
            None
        }
        (None, None) => {
            let message =
                "says nothing that could be checked: add `tcp: PORT` or `http: { port: PORT, path: /PATH }`";
            report.refuse(Kind::Missing, at, message);
            None
        }
    }
}

fn http(at: &At<'_>, report: &mut Report<'_>) -> Option<Probe> {
    let fields = Fields::of(at.clone(), Level::Http, report)?;
    let port = fields.required("port", report).and_then(|at| ports::number(at, report));
    let path = fields.get("path").map_or(Some("/".to_owned()), |at| path(at, report));
    Some(Probe::Http { port: port?, path: path? })
}

/// What can stand in the first line of a request as it is.
fn path(at: &At<'_>, report: &mut Report<'_>) -> Option<String> {
    let text = report.text(at)?;
    let fits =
        text.starts_with('/') && text.len() <= MAX_PATH && text.bytes().all(|it| it.is_ascii_graphic());
    if !fits {
        let rule = format!(
            "it begins with `/`, has up to {MAX_PATH} bytes of ASCII and no spaces: encode others as `%20`"
        );
        report.refuse(Kind::Value, at, format!("{} is not a path: {rule}", quoted(&text)));
    }
    fits.then_some(text)
}

fn span(at: &At<'_>, within: RangeInclusive<u64>, report: &mut Report<'_>) -> Option<u64> {
    let text = report.text(at)?;
    let span = report.checked(at, Kind::Value, units::duration(&text))?;
    if !within.contains(&span) {
        let (least, most) = (written(*within.start()), written(*within.end()));
        let message = format!("{} is not possible: write {least} to {most}", quoted(&text));
        report.refuse(Kind::Value, at, message);
        return None;
    }
    Some(span)
}

fn written(milliseconds: u64) -> String {
    match milliseconds % 1_000 {
        0 => format!("{}s", milliseconds / 1_000),
        _ => format!("{milliseconds}ms"),
    }
}

fn retries(at: &At<'_>, report: &mut Report<'_>) -> Option<u32> {
    let count = report.whole(at)?;
    if !CHECK_RETRIES.contains(&count) {
        let (least, most) = (CHECK_RETRIES.start(), CHECK_RETRIES.end());
        report.refuse(
            Kind::Value,
            at,
            format!("{count} failures in a row are not possible: write {least} to {most}"),
        );
        return None;
    }
    u32::try_from(count).ok()
}
