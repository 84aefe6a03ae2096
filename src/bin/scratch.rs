#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::print_stdout)]
use whatsdown::*;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let db = std::path::PathBuf::from(&args[1]);
    let cat = reading::Catalogue::embedded().unwrap();
    let lex = reading::Lexicon::embedded().unwrap();
    let reader = reading::Reader::new(cat, &lex).unwrap();
    let settings = track::Settings { false_alarms_per_month: 1.0 };
    let ret = pipeline::Retention { unquoted: chrono::TimeDelta::hours(48), quoted: chrono::TimeDelta::days(30) };
    let t = std::time::Instant::now();
    let (mut p, _) = pipeline::Pipeline::open(&db, store::Stamp::Replayed, reader, settings, ret).unwrap();
    let paths: Vec<_> = args[2..].iter().map(std::path::PathBuf::from).collect();
    let mut m = pipeline::input::Merged::open(&paths, clock::now()).unwrap();
    let s = pipeline::replay::replay(
        &mut p,
        &mut m,
        &mut |r| {
            println!("{}:{}: {}", r.path.display(), r.line, r.why);
            Ok(())
        },
        &mut |_| {},
    )
    .unwrap();
    println!("{s:?} {:?}", t.elapsed());
    drop(p);
    let r = store::Reader::open(&db).unwrap();
    for s in r.spikes(&store::Filter { limit: Some(20), ..Default::default() }).unwrap() {
        println!(
            "{} {} {} {} obs {} exp {:.2} llr {:.1} {:?}",
            s.at, s.until, s.service, s.region, s.observed, s.expected, s.score, s.incident
        );
    }
    for i in r.incidents(&Default::default()).unwrap() {
        println!("{}", serde_json::to_string_pretty(&i).unwrap());
    }
    println!("{}", serde_json::to_string(&r.sources().unwrap()).unwrap());
}
