//! The pages: what they say, where they lead, and that nothing in them acts by itself.

use crate::support::{get, incident, serve, written};
use std::path::Path;
use tokio::net::TcpListener;
use whatsdown::count::KeyHash;
use whatsdown::http::{self, App, Config};
use whatsdown::incident::Incident;
use whatsdown::minute::Minute;
use whatsdown::reading::{Catalogue, ServiceId};
use whatsdown::store::Append;
use whatsdown::store::writer::SpikeRow;

const BROWSER: &str = "Accept: text/html\r\n";

/// TikTok down for an hour; nothing of anybody else.
fn down(database: &Path, change: impl FnOnce(&mut Incident<KeyHash>)) -> String {
    let mut incident = incident("tiktok", 60);
    change(&mut incident);
    let id = incident.id.clone();
    written(database, Append { incidents: vec![incident], ..Append::default() });
    id
}

/// Nothing inline: the policy would stop it, and say so in the reader's console.
fn assert_inert(page: &str) {
    for inline in [" style=", "<style", " onerror=", " onload=", " onclick=", "javascript:", "<script>", "http-equiv"] {
        assert!(!page.contains(inline), "{inline}: {page}");
    }
    let addresses = page.split(" href=\"").chain(page.split(" src=\"")).skip(1).map(|rest| rest.split('"').next());
    for address in addresses.flatten().filter(|address| !address.starts_with("<!doctype")) {
        assert!(address.starts_with(['/', '#']) || address.starts_with("https://"), "{address}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_down_leads_to_its_incident_and_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let id = down(&database, |_| {});
    let address = serve(&database).await;

    let (code, head, page) = get(&address, "/", BROWSER).await;
    assert!(code == 200 && head.contains("content-type: text/html"), "{head}");
    assert!(page.contains("<h1>TikTok is down</h1>"), "{page}");
    assert!(
        page.contains(&format!("href=\"/incidents/{id}\"")) && page.contains("href=\"/services/tiktok\""),
        "{page}"
    );
    assert!(page.contains("United Kingdom: TikTok, 30 reports") && page.contains("class=\"dot\""), "{page}");
    assert_inert(&page);

    let (code, _, page) = get(&address, &format!("/incidents/{id}"), BROWSER).await;
    assert!(code == 200 && page.contains("TikTok is down: 1 h so far, in the United Kingdom"), "{page}");
    assert!(page.contains("How this was worked out") && page.contains("What is not known"), "{page}");
    assert_inert(&page);

    let (code, _, page) = get(&address, "/services/TikTok", BROWSER).await;
    assert!(code == 200 && page.contains("TikTok is down: 1 h so far") && page.contains(&id), "{page}");
    assert_inert(&page);
    let (_, _, page) = get(&address, "/services/youtube", BROWSER).await;
    assert!(page.contains("No sign of trouble at YouTube") && page.contains("Not learnt yet"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_blamed_is_told_beside_who_failed() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let incident = incident("tiktok", 60);
    let (id, began) = (incident.id.clone(), Minute::of(incident.start.estimate));
    let spike = |region: &str, observed| SpikeRow {
        service: ServiceId::new("instagram"),
        region: region.parse().unwrap(),
        from: began + 5,
        until: began + 40,
        observed,
        expected: 3.0,
        score: 20.0,
        incident: None,
        echo_of: Some(id.clone()),
    };
    let spikes = vec![spike("world", 31), spike("GB", 9)];
    written(&database, Append { incidents: vec![incident], spikes, ..Append::default() });
    let address = serve(&database).await;

    let (_, _, page) = get(&address, "/services/instagram", BROWSER).await;
    let told = page.split("Blamed, but not at fault").nth(1).unwrap_or_else(|| panic!("{page}"));
    let link = format!("<a href=\"/incidents/{id}\">an outage of TikTok</a>");
    assert!(told.contains("31 people, where 3.0 is usual") && told.contains(&link), "{told}");
    assert_eq!(told.matches("is set aside").count(), 1, "{told}");
    let (_, _, page) = get(&address, &format!("/incidents/{id}"), BROWSER).await;
    assert!(
        page.contains("Instagram is accused too: 31 people in 35 min, where 3.0 is usual. Set aside: TikTok"),
        "{page}"
    );
    let (_, _, page) = get(&address, "/services/tiktok", BROWSER).await;
    assert!(!page.contains("Blamed"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_found_and_an_unknown_one_leads_to_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    down(&database, |_| {});
    let address = serve(&database).await;

    let (code, head, _) = get(&address, "/?q=Tik+Tok", BROWSER).await;
    assert!(code == 303 && head.contains("location: /services/tiktok"), "{head}");
    let (_, _, page) = get(&address, "/?q=goog", BROWSER).await;
    assert!(page.contains("/services/googlecloud") && !page.contains("/services/tiktok"), "{page}");
    let (code, _, page) = get(&address, "/?q=%3Cscript%3Ealert(1)", BROWSER).await;
    assert!(code == 200 && page.contains("No service is called “&lt;script&gt;alert(1)”"), "{page}");
    assert_inert(&page);

    let (code, head, page) = get(&address, "/services/tiktik", BROWSER).await;
    assert!(code == 404 && head.contains("text/html"), "{head}");
    assert!(page.contains("Did you mean <a href=\"/services/tiktok\">TikTok</a>?"), "{page}");
    assert_inert(&page);
    assert_eq!(get(&address, "/incidents/nothing", BROWSER).await.0, 404);
    let (code, head, _) = get(&address, "/nothing", BROWSER).await;
    assert!(code == 404 && head.contains("text/html"), "a browser is told in a page: {head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_told_in_the_zone_of_the_cookie() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let id = down(&database, |_| {});
    let address = serve(&database).await;
    for path in ["/", "/services/tiktok", &format!("/incidents/{id}")] {
        let (_, head, page) = get(&address, path, "Cookie: zone=Asia/Tokyo\r\n").await;
        assert!(head.contains("vary:") && page.contains("20:00 JST (11:00 UTC)"), "{path}: {page}");
        let (_, _, page) = get(&address, path, "").await;
        assert!(page.contains("11:00 UTC") && !page.contains("JST"), "{path}: {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_that_is_not_sure_yet_is_no_all_clear() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let id = down(&database, |incident| {
        let end = incident.start.estimate + chrono::TimeDelta::minutes(50);
        incident.state = whatsdown::incident::State::Recovering;
        incident.end = Some(whatsdown::incident::Interval { low: end, estimate: end, high: end });
    });
    let address = serve(&database).await;
    let (_, _, status) = get(&address, "/api/v1/status?service=tiktok", "").await;
    assert!(status.contains("\"state\":\"recovering\"") && status.contains(&id), "{status}");
    let (_, _, page) = get(&address, "/", BROWSER).await;
    assert!(page.contains("<h1>TikTok is recovering</h1>"), "{page}");
    let (_, _, page) = get(&address, &format!("/incidents/{id}"), BROWSER).await;
    assert!(page.contains("Probably ended"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_not_told_as_calm() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let mut writer = written(&database, Append::default());
    let later = "2026-03-01T18:00:00Z".parse().unwrap();
    writer.append(&Append { now: Some(later), ..Append::default() }).unwrap();
    let address = serve(&database).await;
    let (_, _, page) = get(&address, "/", BROWSER).await;
    assert!(page.contains("What is down now is not known") && page.contains("not known</span>"), "{page}");
    let (_, _, page) = get(&address, "/services/tiktok", BROWSER).await;
    assert!(page.contains("Whether TikTok works is not known now"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("written.db");
    let id = down(&database, |incident| {
        incident.corrections.push(whatsdown::incident::Correction {
            at: incident.detected_at,
            what: "start".to_owned(),
            from: "<script>alert(1)</script>".to_owned(),
            to: "\" onload=\"alert(1)".to_owned(),
            why: "</title><img src=x onerror=alert(1)>".to_owned(),
        });
    });
    let name = r"</title><script>alert(1)</script><svg onload=alert(1)>\u202e";
    let services = format!(
        "[[service]]\nid = \"tiktok\"\nname = \"{name}\"\nnames = [\"tiktok\"]\nstatus = \"javascript:alert(1)\"\n"
    );
    let catalogue = Catalogue::parse("hostile.toml", &services).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(http::serve(listener, App::new(database, catalogue, &[], Config::default())));
    for path in ["/", "/services/tiktok", &format!("/incidents/{id}"), "/services/tiktik", "/?q=script"] {
        let (_, _, page) = get(&address, path, BROWSER).await;
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path}: {page}");
        assert_eq!(page.matches("<script").count(), 1, "only our own: {path}: {page}");
        assert!(
            !page.contains('\u{202e}') && !page.contains("<img") && !page.contains("<svg onload"),
            "{path}: {page}"
        );
    }
}
