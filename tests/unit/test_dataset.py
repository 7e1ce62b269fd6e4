"""Labelled text is read masked, and a file that cannot be used is named with its line and field."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import POLICY
from models import dataset
from models.dataset import (
    DatasetError,
    Example,
    check_labels,
    data_hash,
    load_holdout,
    load_shipped,
    near_duplicates,
    read_csv,
    shipped_folder,
)

HEADER = "text,label\n"
GOOD = "text,label\nprinter jams,printer\nscreen is black,workstation_software\n"


@pytest.fixture
def a_file(tmp_path):
    """Write one file and return its path."""

    def write(content, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def fault_of(path, label=None):
    """The sentence about a file that cannot be used, without its folder."""
    with pytest.raises(DatasetError) as caught:
        read_csv(path, label)
    sentence = str(caught.value)
    assert sentence.startswith(str(path))
    return sentence.removeprefix(f"{path.parent}/")


def some_examples(*labels):
    return [Example(f"text {number}", label) for number, label in enumerate(labels)]


# --- what is read ---------------------------------------------------------------------


def test_rows_become_examples_in_order(a_file):
    assert read_csv(a_file(GOOD)) == [
        Example("printer jams", "printer"),
        Example("screen is black", "workstation_software"),
    ]


def test_all_columns_of_the_shipped_files_are_read(a_file):
    content = "id,text,label,language,voice,author,flags\n7,it hums,printer,fr,nurse,a-1,scary two\n"
    (example,) = read_csv(a_file(content))
    assert example == Example("it hums", "printer", "fr", "nurse", "a-1", frozenset({"scary", "two"}))


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\n\n"),
        "label,more,text\nprinter,x,printer jams\nworkstation_software,y,screen is black\n",
        " text , label \n printer jams , printer \n screen is black, workstation_software\n",
        '"text","label"\n"printer jams","printer"\n"screen is black","workstation_software"\n',
    ],
    ids=[
        "byte order mark",
        "Windows line ends",
        "no last line end",
        "blank lines",
        "other order, more columns",
        "spaces",
        "quotes",
    ],
)
def test_the_same_rows_are_read_however_a_spreadsheet_wrote_them(a_file, content):
    assert read_csv(a_file(content)) == read_csv(a_file(GOOD, "plain.csv"))


def test_a_packed_file_is_unpacked(a_file):
    assert read_csv(a_file(gzip.compress(GOOD.encode()), "rows.csv.gz")) == read_csv(a_file(GOOD))


def test_a_packed_file_may_have_a_byte_order_mark(a_file):
    packed = gzip.compress(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_csv(a_file(packed, "rows.csv.gz")) == read_csv(a_file(GOOD))


def test_a_cell_may_hold_commas_quotes_and_line_ends(a_file):
    (example,) = read_csv(a_file(HEADER + '"it says ""jam"", then\nnothing",printer\n'))
    assert example.text == 'it says "jam", then\nnothing'


def test_french_is_read_as_written(a_file):
    (example,) = read_csv(a_file(HEADER + "l'\u00e9cran a gel\u00e9 \U0001f5a8\ufe0f,printer\n"))
    assert example.text == "l'\u00e9cran a gel\u00e9 \U0001f5a8\ufe0f"


def test_a_file_of_one_label_needs_no_column_for_it(a_file):
    assert read_csv(a_file("text\nprinter jams\n"), label="printer") == [Example("printer jams", "printer")]


def test_a_file_of_one_label_gives_every_row_that_label(a_file):
    assert {row.label for row in read_csv(a_file(GOOD), label="telephony_paging")} == {"telephony_paging"}


def test_a_text_is_masked_when_it_is_read(a_file):
    (example,) = read_csv(a_file(HEADER + "wristband of Testy McTestface MRN 00123456 is blank,printer\n"))
    assert example.text == "wristband of [NAME-1] MRN [MRN-1] is blank"


def test_rows_without_an_id_do_not_repeat_each_other(a_file):
    assert len(read_csv(a_file("id,text,label\n,a jam,printer\n,a jam,printer\n"))) == 2


# --- what is refused ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("", "rows.csv:1:", ["column", "'text'", "nothing"]),
        ("label,body\nprinter,x\n", "rows.csv:1:", ["column", "'text'", "label, body"]),
        ("text,category\nx,printer\n", "rows.csv:1:", ["column", "'label'", "text, category"]),
        ("text;label\nx;printer\n", "rows.csv:1:", ["column", "'text'", "text;label"]),
        ("Text,Label\nx,printer\n", "rows.csv:1:", ["column", "'text'", "Text, Label"]),
        (HEADER, "rows.csv:", ["no rows"]),
        (HEADER + "\n\n", "rows.csv:", ["no rows"]),
        (GOOD + "only a text\n", "rows.csv:4:", ["1 field", "2"]),
        (GOOD + "a, b,printer\n", "rows.csv:4:", ["3 fields", "2"]),
        (GOOD + ",printer\n", "rows.csv:4:", ["text", "empty"]),
        (GOOD + "  ,printer\n", "rows.csv:4:", ["text", "empty"]),
        (GOOD + "it hums,\n", "rows.csv:4:", ["label", "empty"]),
        (GOOD + "it hums, \n", "rows.csv:4:", ["label", "empty"]),
        ("id,text,label\n7,a,x\n8,b,x\n7,c,y\n", "rows.csv:4:", ["id", "'7'", "line 2"]),
        ("text,label,flags\na,x,harm\nb,x,scary odd\n", "rows.csv:3:", ["flags", "odd"]),
        ('text,label\na,x\n"never closed,x\nb,x\nc,x\n', "rows.csv:3:", []),
        ('text,label\na,x\n"closed" too early,x\n', "rows.csv:3:", []),
        ('text,label\n"one\ntwo\nthree",x\n,x\n', "rows.csv:5:", ["text", "empty"]),
        (HEADER + "x" * (dataset.MAX_FIELD + 1) + ",printer\n", "rows.csv:2:", ["field"]),
    ],
    ids=[
        "empty file",
        "no text column",
        "no label column",
        "semicolons",
        "capital column names",
        "header alone",
        "blank lines alone",
        "too few cells",
        "too many cells",
        "empty text",
        "blank text",
        "empty label",
        "blank label",
        "repeated id",
        "unknown flag",
        "quote without an end",
        "quote that ends early",
        "behind a cell of three lines",
        "endless cell",
    ],
)
def test_a_fault_is_named_by_file_line_and_field(a_file, content, place, words):
    sentence = fault_of(a_file(content))
    assert sentence.startswith(place)
    assert [word for word in words if word not in sentence] == []


def test_a_file_of_one_label_still_needs_texts(a_file):
    assert fault_of(a_file("body\nx\n"), "printer").startswith("rows.csv:1: there is no column 'text'")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"text,label\nc\xe9l\xe8ste,printer\n", 2),
        (GOOD.encode() + b"\xffx,printer\n", 4),
        (b"text,lab\xe9l\nx,printer\n", 1),
        (GOOD.encode("utf-16"), 1),
        (GOOD.encode() + b"\xc3", 4),
        (b"\xef\xbb\xbf" + GOOD.encode() + b"c\xe9leste,printer\n", 4),
        (b"\xef\xbb\xbf" + GOOD.encode() + b"\xe9cran,printer\n", 4),
    ],
    ids=[
        "Latin-1",
        "first byte of a line",
        "the header",
        "UTF-16",
        "half a letter at the end",
        "behind a byte order mark",
        "behind a byte order mark, first byte of a line",
    ],
)
def test_the_line_that_is_not_utf_8_is_named(a_file, content, line):
    assert fault_of(a_file(content)).startswith(f"rows.csv:{line}: is not UTF-8")


def test_the_line_of_a_packed_file_that_is_not_utf_8_is_named(a_file):
    packed = gzip.compress(GOOD.encode() + b"\xffx,printer\n")
    assert fault_of(a_file(packed, "rows.csv.gz")).startswith("rows.csv.gz:4: is not UTF-8")


def test_a_missing_file_is_named(tmp_path):
    assert fault_of(tmp_path / "nowhere.csv") == "nowhere.csv: No such file or directory"


def test_a_folder_is_named(tmp_path):
    (tmp_path / "rows.csv").mkdir()
    assert fault_of(tmp_path / "rows.csv") == "rows.csv: Is a directory"


PACKED = gzip.compress(GOOD.encode() * 50)


@pytest.mark.parametrize(
    "content",
    [GOOD.encode(), b"", PACKED[: len(PACKED) // 2], PACKED[:-4], PACKED[:10] + b"\xff" * 20, PACKED[:-8] + b"\0" * 8],
    ids=["not packed", "empty", "cut in the middle", "cut at the end", "garbled", "wrong check sum"],
)
def test_a_broken_packed_file_is_named(a_file, content):
    assert fault_of(a_file(content, "rows.csv.gz")).startswith("rows.csv.gz:")


def test_a_fault_never_repeats_what_a_row_says(a_file):
    for content in ("a secret text,x,y\n", "a secret text,\n", '"a secret text" here,x\n'):
        assert "secret" not in fault_of(a_file(HEADER + content))


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.binary(max_size=40), st.sampled_from([b"", HEADER.encode(), b"\xef\xbb\xbf" + HEADER.encode()]))
def test_any_bytes_are_read_or_refused_by_name(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("any") / "rows.csv"
    path.write_bytes(start + content)
    try:
        assert all(row.text and row.label for row in read_csv(path))
    except DatasetError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017 - either end is right, but only with the file's name


# --- sets that nothing can be learned from --------------------------------------------


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], ["none"]),
        (["printer"], ["printer"]),
        (["printer", "printer", "printer"], ["two different labels", "printer"]),
        (["printer", "printer", "telephony_paging"], ["'telephony_paging'", "single row"]),
        (["b", "a", "c", "c"], ["'a', 'b'", "single row"]),
    ],
    ids=["no rows", "one row", "one label", "a label with one row", "two labels with one row"],
)
def test_a_set_that_nothing_can_be_learned_from_is_refused_by_name_and_field(labels, words):
    with pytest.raises(DatasetError) as caught:
        check_labels(some_examples(*labels), "rows.csv")
    assert str(caught.value).startswith("rows.csv: label: ")
    assert [word for word in words if word not in str(caught.value)] == []


def test_two_labels_with_two_rows_each_are_enough():
    assert check_labels(some_examples("a", "a", "b", "b"), "rows.csv") is None


# --- naming a set of rows -------------------------------------------------------------


def test_the_same_rows_have_the_same_name():
    assert data_hash(some_examples("a", "b")) == data_hash(iter(some_examples("a", "b")))


@pytest.mark.parametrize(
    "other",
    [
        [Example("x", "b"), Example("y", "b")],
        [Example("x!", "a"), Example("y", "b")],
        [Example("y", "b"), Example("x", "a")],
        [Example("x", "a")],
        [Example("x", "a"), Example("y", "b"), Example("y", "b")],
        [Example("a", "x"), Example("y", "b")],
        [],
    ],
    ids=["other label", "other text", "other order", "fewer", "more", "text and label swapped", "none"],
)
def test_other_rows_have_another_name(other):
    assert data_hash(other) != data_hash([Example("x", "a"), Example("y", "b")])


# --- rows that say the same -----------------------------------------------------------


def test_nearly_the_same_texts_are_paired():
    texts = ["the printer on 4W is jammed", "no dial tone", "The printer on 4W is jammed!", "my screen is black"]
    assert near_duplicates(texts) == [(0, 2)]


def test_different_texts_are_not_paired():
    assert near_duplicates(["the printer is jammed", "no dial tone", "my screen is black"]) == []


def test_three_of_a_kind_are_three_pairs_each_named_once():
    assert sorted(near_duplicates(["paper jam"] * 3)) == [(0, 1), (0, 2), (1, 2)]


def test_a_lower_threshold_finds_more():
    texts = ["the printer on 4W is jammed", "the printer on 5E is jammed again"]
    assert near_duplicates(texts, 0.999) == []
    assert near_duplicates(texts, 0.3) == [(0, 1)]


def test_pairs_are_found_across_a_long_list():
    texts = [f"{number:04}-{number * 7919 % 9973:04}-{number * 6113 % 9967:04}" for number in range(1100)]
    texts[1090] = texts[5]
    assert (5, 1090) in near_duplicates(texts, 0.999)


@pytest.mark.parametrize("texts", [[], [""], ["", "  "], ["alone"]], ids=["none", "an empty one", "blank ones", "one"])
def test_a_list_with_nothing_to_compare_has_no_pairs(texts):
    assert near_duplicates(texts) == []


# --- the files that come with the product ---------------------------------------------


def test_every_category_has_its_file_of_examples_and_every_file_its_category():
    files = {path.stem for path in shipped_folder().glob("*.csv")}
    assert files == {*POLICY.categories, dataset.OUT_OF_SCOPE}


def test_shipped_files_are_read_with_their_names_as_labels(tmp_path, a_file):
    a_file("text\nprinter jams\n", "printer.csv")
    a_file("text\nlunch?\n", "out_of_scope.csv")
    rows = load_shipped(["printer"], tmp_path)
    assert rows == [Example("printer jams", "printer"), Example("lunch?", "out_of_scope")]


def test_a_missing_shipped_file_is_named(tmp_path, a_file):
    a_file("text\nlunch?\n", "out_of_scope.csv")
    with pytest.raises(DatasetError, match=r"printer\.csv: No such file"):
        load_shipped(["printer"], tmp_path)


def test_the_holdout_is_read_file_by_file_in_order_of_name(tmp_path):
    folder = tmp_path / dataset.HOLDOUT
    folder.mkdir()
    for name in ("b", "a"):
        (folder / f"{name}.csv").write_text(f"text,label\nfrom {name},printer\n", encoding="utf-8")
    assert [row.text for row in load_holdout(tmp_path)] == ["from a", "from b"]


def test_the_shipped_holdout_knows_only_labels_of_the_policy():
    assert {row.label for row in load_holdout()} == {*POLICY.categories, dataset.OUT_OF_SCOPE}
