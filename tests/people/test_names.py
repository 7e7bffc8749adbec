import pytest

from talkworthy.analysis.names import folded_name, latin_name, skeleton


@pytest.mark.parametrize(
    ("written", "latin"),
    [
        ("Наталья Иванова", "natalia ivanova"),
        ("Ελένη", "eleni"),
        ("김민수", "gimminsu"),
        ("さくら", "sakura"),
        ("प्रिया शर्मा", "priya sharma"),
        ("José Müller-Lüdenscheidt", "jose muller ludenscheidt"),
        ("ＡＢＣ", "abc"),
        ("Øystein", "oystein"),
    ],
)
def test_a_name_of_any_script_has_a_latin_spelling(written: str, latin: str) -> None:
    assert latin_name(written) == latin


def test_chinese_characters_have_no_one_reading_and_stay() -> None:
    assert latin_name("王小明") == "王小明"


def test_the_skeleton_is_what_spellings_have_in_common() -> None:
    assert skeleton("محمد علي") == skeleton("Mohammed Ali")
    assert skeleton("Чайковский") == skeleton("Chaikovsky")
    assert skeleton("Ivanova") != skeleton("Petrova")


def test_folding_twice_changes_nothing_more() -> None:
    for name in ("Ünlü  ÇELİK", "ガンダム", "ᾈδης", "ŉ", "İstanbul", "क्षत्रिय"):
        assert folded_name(folded_name(name)) == folded_name(name)
