//! What the reader makes of labelled texts.

use super::*;
use proptest::prelude::*;

const LOCATIONS: &str = include_str!("../../../fixtures/posts/locations.tsv");

/// Measured on the report half: see docs/regions.md. A little below, so that a harmless change of the data passes.
const ACCURACY: f64 = 0.96;
const WRONG_WHERE_NONE: f64 = 0.02;

fn located(text: &str) -> String {
    let place = Places::embedded().read("", &Services::default(), Some(text), None);
    place.map_or("-".to_owned(), |place| place.code.to_string())
}

fn said(text: &str) -> String {
    let place = Places::embedded().read(text, &Services::default(), None, None);
    place.map_or("-".to_owned(), |place| place.code.to_string())
}

/// The share of right answers, and of places read where none is stated, over one half of the labelled locations.
fn measure(half: &str) -> (f64, f64) {
    let (mut all, mut right, mut nowhere, mut invented) = (0.0, 0.0, 0.0, 0.0);
    for line in LOCATIONS.lines().filter(|line| !line.starts_with('#')) {
        let mut cells = line.splitn(3, '\t');
        let (Some(own), Some(expected), Some(text)) = (cells.next(), cells.next(), cells.next()) else {
            panic!("not three cells: {line}");
        };
        if own != half {
            continue;
        }
        let found = located(text);
        all += 1.0;
        right += f64::from(found == expected);
        nowhere += f64::from(expected == "-");
        invented += f64::from(expected == "-" && found != "-");
        if found != expected {
            println!("{half}: {text}: {found}, not {expected}");
        }
    }
    (right / all, invented / nowhere)
}

#[test]
fn labelled_locations_are_read_as_well_as_measured() {
    for half in ["tune", "report"] {
        let (accuracy, invented) = measure(half);
        println!("{half}: accuracy {accuracy:.3}, a place where none is stated {invented:.3}");
        assert!(accuracy >= ACCURACY, "{half}: {accuracy}");
        assert!(invented <= WRONG_WHERE_NONE, "{half}: {invented}");
    }
}

#[test]
fn a_place_in_a_post_needs_a_cue() {
    for (text, region) in [
        ("instagram is down in Mumbai", "IN-MH"),
        ("whatsapp down in mumbai??", "IN-MH"),
        ("tiktok not working here in Texas", "US-TX"),
        ("is it down in the UK?", "GB"),
        ("is it down in the Netherlands or just me", "NL"),
        ("UK users can't log in", "GB"),
        ("London here, down for me too", "GB-ENG"),
        ("can't log in 🇬🇧", "GB"),
        ("caiu 🇧🇷🇧🇷", "BR"),
        ("#instagramdownuk", "GB"),
        ("again #TikTokDownIndia", "IN"),
        ("#whatsappdowninkenya", "KE"),
        ("Rogers is out in Toronto, Ontario", "CA-ON"),
        ("down in Paris, TX", "US-TX"),
        ("down in Birmingham AL since noon", "US-AL"),
        ("down in Austin, Texas and Dallas", "US-TX"),
        ("no funciona en México", "MX"),
        ("se cayó en Buenos Aires", "AR"),
        ("fora do ar no Brasil", "BR"),
        ("o insta caiu em São Paulo", "BR-SP"),
        ("en panne en France", "FR"),
        ("Instagram in Deutschland gestört", "DE"),
        ("İstanbul'da instagram çöktü", "TR"),
        ("서울에서 안돼요", "KR"),
        ("東京でインスタ落ちてる", "JP"),
        ("anyone else in NYC having this", "US-NY"),
        ("down all over northern California", "US-CA"),
        ("no signal for the whole street, Toowoomba. Anyone else?", "AU-QLD"),
        ("Leeds. Nothing loads", "GB-ENG"),
        ("no bars Denver. anyone?", "US-CO"),
        ("buffering for half an hour, brisbane, two kids about to riot", "AU-QLD"),
        ("vancouver girlies, did tiktok sign you out too", "CA-BC"),
        ("Heads up Sydney folks, it is down", "AU-NSW"),
        ("out in Northeast Philadelphia", "US-PA"),
        ("O2 geht in ganz Neukölln nicht", "DE-BE"),
        ("o2 im Raum Hannover gestört", "DE-NI"),
        ("half of Canada is offline", "CA"),
        ("service out across northern California", "US-CA"),
        ("Canadian users: is it you too?", "CA"),
        ("out in London and Paris", "-"),
        ("out in Leeds and London", "GB-ENG"),
        ("TikTok is down in India Facebook too", "IN"),
        ("London-based users can't log in", "GB-ENG"),
        ("down in the uk again", "GB"),
        ("Down near St. Louis, MO", "US-MO"),
        ("na Argentina também não funciona", "AR"),
        ("down in Washington, D.C.", "US-DC"),
        ("instagram caído en Bogotá y Medellín", "CO"),
        ("Instagram funktioniert in München nicht", "DE-BY"),
        ("w Polsce nie działa", "PL"),
        ("в Москве не работает", "RU"),
        ("ไอจีล่มในกรุงเทพ", "TH"),
        ("caiu aqui no Rio", "BR-RJ"),
        ("down here 🇪🇺 🇩🇪", "DE"),
        ("IS IT DOWN IN THE US", "US"),
    ] {
        assert_eq!(said(text), region, "{text}");
    }
}

#[test]
fn words_of_a_post_are_no_places() {
    for text in [
        "Turkey dinner and instagram is down",
        "Thanks, Austin. Still down",
        "Berlin was lovely. Now reddit is down",
        "Nice, twitter is down",
        "Reading this while reddit is down",
        "Mobile app broken, not working in mobile",
        "it broke us",
        "give it to me in it",
        "cannot log in us",
        "is it down or is it me",
        "not in the mood",
        "reading in bed while it is down",
        "had turkey in turkey sauce",
        "Paris Hilton posted before it went down",
        "the outage in Paris Hilton's stories",
        "Jordan here, it is down",
        "Amazon down, in Amazon we trust",
        "it is down and I miss Paris Hilton. again",
        "The outage of Bank of America. Again",
        "works in chrome, not in safari",
        "in de la in on or me hi ok",
        "I was in Orange",
        "it crashes in Java",
        "a message from Jordan about the outage",
        "Halloween in March",
        "still down in the 6 hours since",
        "living in a town without service",
        "the fans in Dallas Cowboys shirts",
        "all states in one",
        "no one can log in, no excuses",
        "i am in, you are out",
        "in 254 days it was down twice",
        "Rogers customers, Bell users, Orange users, Santander customers",
        "IS IT DOWN IN MY AREA OR IS IT ME",
        "#tiktokdown",
        "#down",
        "#instagramdownagain",
        "🇺🇸🇬🇧 down",
        "https://example.org/in/London @uk_user",
        "",
    ] {
        assert_eq!(said(text), "-", "{text}");
    }
}

#[test]
fn a_language_has_its_own_ways_to_say_where() {
    for (text, lang, region) in [
        ("uber istanbulda gelmiyor", "tr", "TR"),
        ("Telegram bağlanıyor, sabahtan beri bu", "tr", "-"),
        ("uber istanbulda gelmiyor", "en", "-"),
        ("rute di surabaya gak keluar", "id", "ID"),
        ("rute di surabaya gak keluar", "en", "-"),
        ("spotify mati di Surabaya", "en", "ID"),
        ("spotify mati di Roma", "en", "-"),
        ("ganz leipzig kein netz", "de", "DE-SN"),
        ("uber w krakowie nie przyjmuje karty", "pl", "PL"),
        ("부산 카톡 안됨", "ko", "KR"),
        ("台灣 line 掛了嗎", "zh", "TW"),
        ("wa mati se jabodetabek", "id", "ID"),
        ("mumbai wale, jio band hai?", "hi", "IN-MH"),
        ("有广州的兄弟吗", "zh", "CN"),
        ("nagpur walo jashn manao", "hi", "IN-MH"),
        ("guys from cebu, same?", "en", "PH"),
        ("tell me I'm not alone, people of Port Harcourt", "en", "NG"),
        ("Manchester office reporting in", "en", "GB-ENG"),
        ("my mate in Leeds gets it too and I'm in Cardiff", "en", "GB-WLS"),
        ("my mate in Leeds gets it", "en", "GB-ENG"),
        ("Störung Hannover seit 9 Uhr", "de", "DE-NI"),
        ("카톡 안됨 부산임", "ko", "KR"),
        ("坐標台北，掛了", "zh", "TW"),
        ("واتساب معلق بالرياض", "ar", "SA"),
        ("اهل الكويت شغال عندكم؟", "ar", "KW"),
    ] {
        let place = Places::embedded()
            .read(text, &Services::default(), None, Some(lang))
            .filter(|place| place.from == PlaceSource::Text);
        assert_eq!(place.map_or("-".to_owned(), |place| place.code.to_string()), region, "{lang}: {text}");
    }
}

#[test]
fn a_service_beside_a_place_makes_no_name_of_it() {
    let read = |text: &str, service: &str| {
        let names = text.match_indices(service).map(|(start, name)| start..start + name.len()).collect();
        let services = Services { names, country: None };
        Places::embedded().read(text, &services, None, None).map(|place| place.code.to_string())
    };
    for text in ["in Leeds Vodafone is dead", "Vodafone Leeds? no signal"] {
        assert_eq!(read(text, "another"), None);
        assert_eq!(read(text, "Vodafone").as_deref(), Some("GB-ENG"));
    }
}

#[test]
fn the_place_of_another_is_no_reason_beside_the_authors_own() {
    let text = "my mate in Leeds gets it too and I'm in Cardiff";
    let said = Places::embedded().said(text, &Services::default(), None);
    assert_eq!(said.into_iter().map(|range| &text[range]).collect::<Vec<_>>(), ["in Cardiff"]);
}

#[test]
fn a_service_of_one_country_says_which_place_is_meant() {
    let read = |country: Option<&str>| {
        let country = country.map(|code| code.parse().unwrap());
        let services = Services { names: Vec::new(), country };
        Places::embedded().read("down in Newcastle", &services, None, None).map(|place| place.code.to_string())
    };
    assert_eq!(read(None), None);
    assert_eq!(read(Some("AU")).as_deref(), Some("AU-NSW"));
    assert_eq!(read(Some("GB")).as_deref(), Some("GB-ENG"));
    assert_eq!(read(Some("JP")), None);
}

#[test]
fn words_go_before_location_and_location_before_language() {
    let read = |text: &str, location, lang| {
        let place = Places::embedded().read(text, &Services::default(), location, lang);
        place.map(|place| (place.code.to_string(), place.from))
    };
    let expected = |code: &str, from| Some((code.to_owned(), from));
    assert_eq!(read("down in India", Some("London"), Some("ja")), expected("IN", PlaceSource::Text));
    assert_eq!(read("down", Some("London"), Some("ja")), expected("GB-ENG", PlaceSource::Location));
    assert_eq!(read("down", Some("nowhere"), Some("ja")), expected("JP", PlaceSource::Language));
    assert_eq!(read("down", None, Some("pt-BR")), expected("BR", PlaceSource::Language));
    for lang in ["en", "es", "pt", "fr", "ar", "de", "zh", "en-US", "xx", "", "-", "en-ZZ"] {
        assert_eq!(read("down", None, Some(lang)), None, "{lang}");
    }
}

#[test]
fn only_a_language_is_too_weak_to_count() {
    for (lang, _) in LANGUAGES.lines() {
        let place = Places::embedded().read("", &Services::default(), None, Some(lang)).unwrap();
        assert!(place.confidence < COUNTED_CONFIDENCE, "{lang}");
    }
    let place = Places::embedded().read("", &Services::default(), Some("Birmingham"), None).unwrap();
    assert!(place.confidence >= COUNTED_CONFIDENCE && place.confidence < 0.9);
}

#[test]
fn regions_have_names() {
    let name = |code: &str| Places::embedded().name(code.parse().unwrap());
    assert_eq!(name("US"), Some("United States"));
    assert_eq!(name("US-TX"), Some("Texas, US"));
    assert_eq!(name("GB-NIR"), Some("Northern Ireland, GB"));
    assert_eq!(name("XK"), Some("Kosovo"));
    for gone in ["AN", "CS", "UK", "EU", "ZZ", "US-ZZ", "FR-IDF"] {
        assert_eq!(name(gone), None, "{gone}");
    }
    assert!(Places::embedded().known(Region::WORLD));
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}", location in ".{0,60}", lang in ".{0,8}") {
        let places = Places::embedded();
        if let Some(place) = places.read(&text, &Services::default(), Some(&location), Some(&lang)) {
            prop_assert!(places.known(place.code) && place.code != Region::WORLD);
            prop_assert!((0.0..=1.0).contains(&place.confidence));
        }
    }

    #[test]
    fn any_mix_of_names_is_read_without_a_panic(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "in", "Paris", "TX", "georgia", ",", " - ", "#tiktokdown", "uk", "🇬🇧", "🇺", "で", "東京", "ใน", "에서", "'da", "St.", "U.S.",
                "the", "New", "York", "here", "users", "Canadian", "\u{1f3f4}", "\u{e0067}", "\u{e007f}", "\u{fe0f}", ".", "/", "@x", "'",
            ]),
            0..30,
        ),
        joint in prop::sample::select(vec![" ", "", "-"]),
    ) {
        let text = words.join(joint);
        let places = Places::embedded();
        for place in [places.read(&text, &Services::default(), None, None), places.read("", &Services::default(), Some(&text), None)].into_iter().flatten() {
            prop_assert!(places.known(place.code) && place.code != Region::WORLD);
            prop_assert!((0.0..=1.0).contains(&place.confidence));
        }
    }
}

#[test]
fn a_region_in_words_is_read_back() {
    let regions: Vec<Region> = super::names::REGIONS.lines().map(|(code, _)| code.parse().unwrap()).collect();
    let places = Places::embedded();
    let in_words = regions.iter().filter_map(|region| Some((region, places.words(*region)?)));
    let read_back = in_words.map(|(region, words)| assert_eq!(located(&words), region.to_string())).count();
    // A few islands have names that a location text is not read for.
    assert!(read_back + 12 >= regions.len(), "{read_back} of {}", regions.len());
    assert_eq!(places.words("US-WA".parse().unwrap()).as_deref(), Some("US-WA"));
    assert_eq!(places.words("GB".parse().unwrap()).as_deref(), Some("United Kingdom"));
    assert_eq!(places.words(Region::WORLD), None);
}
