use super::*;
use std::collections::BTreeMap;

const STATUSPAGE: &[u8] = include_bytes!("../../../fixtures/sources/status/statuspage.json");
const SLACK: [&[u8]; 2] = [
    include_bytes!("../../../fixtures/sources/status/slack-current.json"),
    include_bytes!("../../../fixtures/sources/status/slack-history.json"),
];
const GOOGLE: &[u8] = include_bytes!("../../../fixtures/sources/status/google.json");
const BETTER_STACK: &[u8] = include_bytes!("../../../fixtures/sources/status/betterstack.json");
const INSTATUS: &[u8] = include_bytes!("../../../fixtures/sources/status/instatus.json");
const AWS: &[u8] = include_bytes!("../../../fixtures/sources/status/aws.json");
const AZURE: &[u8] = include_bytes!("../../../fixtures/sources/status/azure.xml");

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    at("2026-11-20T14:00:00Z")
}

/// A source for the page of one service.
fn source(dialect: Dialect, parts: &[&str]) -> Box<dyn Source> {
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    let status = Some(Readable { dialect, page: "https://status.example".to_owned(), parts });
    let services = [Watched { id: "tiktok".to_owned(), name: "TikTok".to_owned(), status, ..Watched::default() }];
    let config = Config { enabled: true, services: Vec::new(), every: Duration::from_secs(120) };
    let given = Given { services: &services, cursors: &BTreeMap::new(), now: now() };
    sources(&config, &given).unwrap().swap_remove(0)
}

fn answer(source: &mut dyn Source, status: u16, body: &[u8]) -> Result<Found, SourceError> {
    source.next(now());
    let page = Page { asked_at: now(), status: StatusCode::from_u16(status).unwrap(), body: body.to_vec() };
    let mut found = Found::default();
    source.read(Reply::Page(&page), now(), &mut found).map(|()| found)
}

/// Answers that nothing changed until it is this path's turn; which is first is chance, as their waits are jittered.
fn until_asked(source: &mut dyn Source, path: &str) {
    while source.next(now()).url.path() != path {
        answer(source, 304, b"").unwrap();
    }
}

/// What is said, when, and at which stage; and how many incidents were odd.
fn told(found: &Found) -> (Vec<(String, &'static str, String)>, u64) {
    let posts = found.events.iter().map(|event| match event {
        Event::Post(post) => {
            let notice = post.notice.as_ref().unwrap();
            assert!(post.official && notice.services == [ServiceId::new("tiktok")], "{post:?}");
            (post.created_at.format("%dT%H:%M:%S").to_string(), notice.stage.unwrap().as_str(), post.text.clone())
        }
        other => panic!("{other:?}"),
    });
    (posts.collect(), found.odd)
}

fn read_one(dialect: Dialect, body: &[u8]) -> (Vec<(String, &'static str, String)>, u64) {
    told(&answer(&mut *source(dialect, &[]), 200, body).unwrap())
}

fn line(at: &str, stage: &'static str, text: &str) -> (String, &'static str, String) {
    (at.to_owned(), stage, text.to_owned())
}

#[test]
fn statuspage_tells_stages_at_the_time_they_were_said() {
    let (said, odd) = read_one(Dialect::Statuspage, STATUSPAGE);
    assert_eq!(
        said,
        [
            line("20T12:40:58", "resolved", "Synthetic: log-in fails: Synthetic: all is well again."),
            line("20T12:30:00", "acknowledged", "Synthetic: log-in fails: Synthetic: we watch what we have mended."),
            line("20T11:52:40", "acknowledged", "Synthetic: log-in fails: Synthetic: we are looking into it."),
        ]
    );
    assert_eq!(odd, 1, "planned work and what is long over is nothing odd");
    // As incident.io answers where there is nothing.
    assert_eq!(read_one(Dialect::Statuspage, br#"{"page":{},"incidents":null}"#), (vec![], 0));
}

#[test]
fn slack_tells_what_goes_on_and_what_is_over_on_two_pages() {
    let mut source = source(Dialect::Slack, &[]);
    let (said, _) = told(&answer(&mut *source, 200, SLACK[0]).unwrap());
    let first = "Synthetic: messages do not arrive: Synthetic: we know more now.";
    let second = "Synthetic: messages do not arrive: Synthetic: we are looking into it.";
    assert_eq!(said, [line("20T12:20:00", "acknowledged", first), line("20T12:12:34", "acknowledged", second)]);
    assert_eq!(source.next(now()).url.path(), "/api/v2.0.0/history");
    // As long as it is among the active ones, it is not over.
    assert_eq!(told(&answer(&mut *source, 200, SLACK[1]).unwrap()).0, []);
    until_asked(&mut *source, "/api/v2.0.0/current");
    answer(&mut *source, 200, br#"{"status":"ok","active_incidents":[]}"#).unwrap();
    let over = "Synthetic: messages do not arrive: Synthetic: messages arrive again.";
    until_asked(&mut *source, "/api/v2.0.0/history");
    assert_eq!(told(&answer(&mut *source, 200, SLACK[1]).unwrap()).0, [line("20T13:30:00", "resolved", over)]);
}

#[test]
fn google_tells_of_one_product_with_or_without_an_end() {
    let mut gmail = source(Dialect::Google, &["gmail"]);
    let (said, odd) = told(&answer(&mut *gmail, 200, GOOGLE).unwrap());
    assert_eq!(odd, 1);
    let texts: Vec<_> = said.iter().map(|(at, stage, _)| (at.as_str(), *stage)).collect();
    // That documents open again is not told while messages are late.
    assert_eq!(
        texts,
        [("20T12:05:44", "acknowledged"), ("20T11:59:51", "acknowledged"), ("19T08:10:00", "acknowledged")]
    );
    assert_eq!(said[0].2, "Title: Synthetic: messages are late: Synthetic  We know more now.");
    let mut meet = source(Dialect::Google, &["Meet"]);
    let (said, _) = told(&answer(&mut *meet, 200, GOOGLE).unwrap());
    assert_eq!(said, [line("18T09:00:00", "resolved", "Synthetic: calls break off.")]);
}

#[test]
fn aws_is_read_in_utf_16_and_months_old_events_hold_up_nothing() {
    let (said, odd) = read_one(Dialect::Aws, AWS);
    let title = "Synthetic: increased error rates (N. Virginia): Synthetic:";
    assert_eq!(
        said,
        [
            line("20T12:10:00", "acknowledged", &format!("{title} we are looking into increased error rates.")),
            line("20T12:20:00", "acknowledged", &format!("{title} it is worse.")),
            line("20T14:00:00", "resolved", &format!("{title} all services work again.")),
        ]
    );
    assert_eq!(odd, 1);
    assert_eq!(read_one(Dialect::Aws, b"\xfe\xff\0[\0]"), (vec![], 0));
}

#[test]
fn better_stack_instatus_and_azure() {
    let (said, odd) = read_one(Dialect::BetterStack, BETTER_STACK);
    let title = "Synthetic: the web app is slow: Synthetic:";
    assert_eq!(
        said,
        [
            line("20T11:53:00", "acknowledged", &format!("{title} we are looking into it.")),
            line("20T12:20:00", "resolved", &format!("{title} it is as quick as ever.")),
        ]
    );
    assert_eq!(odd, 1);
    let said = read_one(Dialect::Instatus, INSTATUS);
    assert_eq!(said, (vec![line("20T12:05:00", "acknowledged", "Synthetic: the API fails")], 1));
    let healthy = br#"{"page":{"name":"Synthetic","url":"https://status.example","status":"UP"}}"#;
    assert_eq!(read_one(Dialect::Instatus, healthy), (vec![], 0));
    let text = "Synthetic: connections to virtual machines fail: Synthetic: we are looking into it.";
    assert_eq!(read_one(Dialect::Azure, AZURE), (vec![line("20T11:57:06", "acknowledged", text)], 0));
}

#[test]
fn what_was_told_is_not_told_again_and_304_is_healthy() {
    let mut source = source(Dialect::Statuspage, &[]);
    assert_eq!(answer(&mut *source, 200, STATUSPAGE).unwrap().seen, 3);
    for (status, body) in [(304, &b""[..]), (200, STATUSPAGE)] {
        let found = answer(&mut *source, status, body).unwrap();
        assert!(found.caught_up && found.events.is_empty() && found.seen == 0 && found.heard.is_none());
    }
}

#[test]
fn an_answer_of_another_kind_is_an_error_and_moves_nothing() {
    for dialect in Dialect::ALL {
        for (status, body) in
            [(200, &b"<html>"[..]), (200, b"\"\""), (200, b"{\"incidents\":7}"), (404, b"{}"), (200, b"")]
        {
            let mut source = source(*dialect, &[]);
            assert!(answer(&mut *source, status, body).is_err(), "{dialect}: {status}");
            assert!(source.cursor().is_none());
        }
    }
}

#[test]
fn services_on_one_page_share_a_source() {
    let watched = |id: &str, parts: &[&str]| Watched {
        id: id.to_owned(),
        name: id.to_owned(),
        status: Some(Readable {
            dialect: Dialect::Google,
            page: "https://www.google.example/appsstatus/dashboard/".to_owned(),
            parts: parts.iter().map(|part| (*part).to_owned()).collect(),
        }),
        ..Watched::default()
    };
    let services = [watched("gmail", &["Gmail"]), watched("docs", &["docs"])];
    let config = Config { enabled: true, services: Vec::new(), every: Duration::from_secs(120) };
    let given = Given { services: &services, cursors: &BTreeMap::new(), now: now() };
    let mut made = sources(&config, &given).unwrap();
    assert_eq!((made.len(), made[0].name()), (1, "status:gmail"));
    let url = made[0].next(now()).url;
    assert_eq!(url.as_str(), "https://www.google.example/appsstatus/dashboard/incidents.json");
    let found = answer(&mut *made[0], 200, GOOGLE).unwrap();
    let both = found.events.iter().find_map(|event| match event {
        Event::Post(post) if post.id.contains("/closed/") => Some(post.notice.clone().unwrap().services.len()),
        _ => None,
    });
    assert_eq!(both, Some(2));
    let unknown = Config { services: vec!["nobody".to_owned()], ..config };
    assert!(matches!(sources(&unknown, &given), Err(ConfigError::NoSuchService { .. })));
}

proptest::proptest! {
    #[test]
    fn any_answer_is_read(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200), json in "[\\[\\]{}\":,a-z0-9_ ]{0,80}") {
        for dialect in Dialect::ALL {
            let _ = answer(&mut *source(*dialect, &[]), 200, &body);
            let _ = answer(&mut *source(*dialect, &[]), 200, json.as_bytes());
        }
    }
}
