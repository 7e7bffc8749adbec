"""Languages by ISO 639-1 code, with the three-letter codes and English names that people type instead."""

_TABLE = """
aa aar Afar|ab abk Abkhazian|ae ave Avestan|af afr Afrikaans|ak aka Akan|am amh Amharic|an arg Aragonese
ar ara Arabic|as asm Assamese|av ava Avaric|ay aym Aymara|az aze Azerbaijani|ba bak Bashkir|be bel Belarusian
bg bul Bulgarian|bh bih Bihari|bi bis Bislama|bm bam Bambara|bn ben Bengali|bo bod,tib Tibetan|br bre Breton
bs bos Bosnian|ca cat Catalan|ce che Chechen|ch cha Chamorro|co cos Corsican|cr cre Cree|cs ces,cze Czech
cu chu Church Slavic|cv chv Chuvash|cy cym,wel Welsh|da dan Danish|de deu,ger German|dv div Dhivehi|dz dzo Dzongkha
ee ewe Ewe|el ell,gre Greek|en eng English|eo epo Esperanto|es spa Spanish|et est Estonian|eu eus,baq Basque
fa fas,per Persian|ff ful Fulah|fi fin Finnish|fj fij Fijian|fo fao Faroese|fr fra,fre French|fy fry Western Frisian
ga gle Irish|gd gla Scottish Gaelic|gl glg Galician|gn grn Guarani|gu guj Gujarati|gv glv Manx|ha hau Hausa
he heb Hebrew|hi hin Hindi|ho hmo Hiri Motu|hr hrv Croatian|ht hat Haitian|hu hun Hungarian|hy hye,arm Armenian
hz her Herero|ia ina Interlingua|id ind Indonesian|ie ile Interlingue|ig ibo Igbo|ii iii Sichuan Yi|ik ipk Inupiaq
io ido Ido|is isl,ice Icelandic|it ita Italian|iu iku Inuktitut|ja jpn Japanese|jv jav Javanese|ka kat,geo Georgian
kg kon Kongo|ki kik Kikuyu|kj kua Kuanyama|kk kaz Kazakh|kl kal Greenlandic|km khm Khmer|kn kan Kannada
ko kor Korean|kr kau Kanuri|ks kas Kashmiri|ku kur Kurdish|kv kom Komi|kw cor Cornish|ky kir Kyrgyz|la lat Latin
lb ltz Luxembourgish|lg lug Ganda|li lim Limburgish|ln lin Lingala|lo lao Lao|lt lit Lithuanian|lu lub Luba-Katanga
lv lav Latvian|mg mlg Malagasy|mh mah Marshallese|mi mri,mao Maori|mk mkd,mac Macedonian|ml mal Malayalam
mn mon Mongolian|mr mar Marathi|ms msa,may Malay|mt mlt Maltese|my mya,bur Burmese|na nau Nauru
nb nob Norwegian Bokmål|nd nde North Ndebele|ne nep Nepali|ng ndo Ndonga|nl nld,dut Dutch|nn nno Norwegian Nynorsk
no nor Norwegian|nr nbl South Ndebele|nv nav Navajo|ny nya Chichewa|oc oci Occitan|oj oji Ojibwa|om orm Oromo
or ori Odia|os oss Ossetian|pa pan Punjabi|pi pli Pali|pl pol Polish|ps pus Pashto|pt por Portuguese|qu que Quechua
rm roh Romansh|rn run Rundi|ro ron,rum Romanian|ru rus Russian|rw kin Kinyarwanda|sa san Sanskrit|sc srd Sardinian
sd snd Sindhi|se sme Northern Sami|sg sag Sango|sh hbs Serbo-Croatian|si sin Sinhala|sk slk,slo Slovak
sl slv Slovenian|sm smo Samoan|sn sna Shona|so som Somali|sq sqi,alb Albanian|sr srp Serbian|ss ssw Swati
st sot Southern Sotho|su sun Sundanese|sv swe Swedish|sw swa Swahili|ta tam Tamil|te tel Telugu|tg tgk Tajik
th tha Thai|ti tir Tigrinya|tk tuk Turkmen|tl tgl Tagalog|tn tsn Tswana|to ton Tonga|tr tur Turkish|ts tso Tsonga
tt tat Tatar|tw twi Twi|ty tah Tahitian|ug uig Uyghur|uk ukr Ukrainian|ur urd Urdu|uz uzb Uzbek|ve ven Venda
vi vie Vietnamese|vo vol Volapük|wa wln Walloon|wo wol Wolof|xh xho Xhosa|yi yid Yiddish|yo yor Yoruba|za zha Zhuang
zh zho,chi Chinese|zu zul Zulu
ace ace Acehnese|ban ban Balinese|bbc bbc Toba Batak|bjn bjn Banjar|bug bug Buginese|mad mad Madurese
min min Minangkabau|nij nij Ngaju|pcm pcm Nigerian Pidgin
"""

LANGUAGES: dict[str, str] = {}
"""ISO 639-1 code to English name, and ISO 639-3 where there is none of the languages that posts are found to be in."""

_ALIASES: dict[str, str] = {
    "farsi": "fa",
    "mandarin": "zh",
    "cantonese": "yue",
    "filipino": "fil",
    "castilian": "es",
    "iw": "he",
    "in": "id",
}

for _row in _TABLE.replace("\n", "|").strip("|").split("|"):
    _code, _long, _name = _row.split(" ", 2)
    LANGUAGES[_code] = _name
    for _alias in (*_long.split(","), _name.casefold()):
        _ALIASES[_alias] = _code


def language_code(text: str) -> str | None:
    """The code that a code, a three-letter code or an English name stands for; None where nothing is known.

    A three-letter code without a two-letter one (ISO 639-3) is its own code.
    """
    lowered = (
        text.casefold().replace("_", "-").split("-")[0] if len(text) > 3 and text[2:3] in "-_" else text.casefold()
    )
    if lowered in LANGUAGES:
        return lowered
    if lowered in _ALIASES:
        return _ALIASES[lowered]
    return lowered if len(lowered) == 3 and lowered.isascii() and lowered.isalpha() else None


def primary_code(tag: str) -> str:
    """The language of a tag that a post carries: `en-US` is en, `eng` is en."""
    primary = tag.replace("_", "-").split("-")[0].casefold()
    return primary if primary in LANGUAGES else _ALIASES.get(primary, primary)
