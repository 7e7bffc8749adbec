"""Settings are read strictly: what is misspelt or cannot be used is refused by name."""

import stat

import pytest

from talkworthy.web.configuration import VARIABLES, BadSetting, read_configuration


def read(folder, **environment):
    return read_configuration({"TALKWORTHY_DATA": str(folder), "PATH": "/bin", **environment})


def test_without_settings_everything_has_its_default(tmp_path):
    found = read(tmp_path)
    assert (found.port, found.bind, found.public_address) == (8100, "127.0.0.1", "http://localhost:8100")
    assert found.database["ENGINE"].endswith("sqlite3") and found.debug is False


def test_a_misspelt_variable_is_refused_by_its_name_with_those_that_exist(tmp_path):
    with pytest.raises(BadSetting, match=r"TALKWORTHY_PROT is not a setting.*TALKWORTHY_PORT"):
        read(tmp_path, TALKWORTHY_PROT="80")


def test_what_others_set_is_left_alone(tmp_path):
    assert read(tmp_path, DJANGO_DEBUG="1", TALK_WORTHY="x").port == 8100


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "80a"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", ""),
        ("BEHIND_PROXY", "perhaps"),
        ("DEBUG", "2"),
        ("PUBLIC_ADDRESS", "talk.example.org"),
        ("PUBLIC_ADDRESS", "ftp://talk.example.org"),
        ("MEMORY_MB", "64"),
        ("MEMORY_MB", "1GB"),
        ("PROCESSES", "-1"),
        ("PROCESSES", "65"),
        ("PROCESSES", "many"),
        ("PROCESSES", ""),
        ("LOG_LEVEL", "loud"),
        ("DATABASE_URL", "mysql://root@localhost/desk"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("EMAIL_URL", "http://mail.example.org"),
        ("EMAIL_URL", "smtp://"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(tmp_path, name, value):
    with pytest.raises(BadSetting, match=f"TALKWORTHY_{name}"):
        read(tmp_path, **{f"TALKWORTHY_{name}": value})


@pytest.mark.parametrize(("text", "flag"), [("yes", True), ("ON", True), ("1", True), ("no", False), ("", False)])
def test_flags_are_said_in_words_or_figures(tmp_path, text, flag):
    assert read(tmp_path, TALKWORTHY_BEHIND_PROXY=text).behind_proxy is flag


def test_a_database_is_read_from_its_address_with_its_password_unquoted(tmp_path):
    database = read(tmp_path, TALKWORTHY_DATABASE_URL="postgresql://talk:p%40ss@db:5433/desk?sslmode=require").database
    assert [database[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")] == [
        "desk", "talk", "p@ss", "db", "5433",
    ]  # fmt: skip
    assert database["OPTIONS"] == {"sslmode": "require"}


def test_mails_go_out_encrypted_where_the_address_says_so(tmp_path):
    plain = read(tmp_path, TALKWORTHY_EMAIL_URL="smtp://mail.example.org")
    tls = read(tmp_path, TALKWORTHY_EMAIL_URL="smtps://me:secret@mail.example.org")
    assert (plain.email_port, plain.email_starttls) == (25, False)
    assert (tls.email_port, tls.email_starttls, tls.email_user, tls.email_password) == (587, True, "me", "secret")


def test_the_key_is_made_once_and_read_by_its_owner_alone(tmp_path):
    first, second = read(tmp_path).secret_key, read(tmp_path).secret_key
    assert first == second and len(first) > 40
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_a_given_key_leaves_no_file(tmp_path):
    assert read(tmp_path, TALKWORTHY_SECRET_KEY="given").secret_key == "given"
    assert not (tmp_path / "secret.key").exists()


def test_pages_are_answered_under_the_public_name_and_on_this_machine(tmp_path):
    hosts = read(tmp_path, TALKWORTHY_PUBLIC_ADDRESS="https://talk.example.org/").allowed_hosts
    assert {"talk.example.org", "localhost", "127.0.0.1"} <= set(hosts) and "*" not in hosts


def test_every_setting_has_its_help():
    assert all(variable.help and variable.name.startswith("TALKWORTHY_") for variable in VARIABLES)
