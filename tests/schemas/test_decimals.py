"""One grammar for every decimal, whoever reads it."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalogue.amounts import decimal_text as of_formula
from schemas.connectors.fields import read_number
from schemas.decimals import decimal_in, has_room
from schemas.documents.values import decimal_of as of_file


@settings(max_examples=200)
@given(number=st.decimals(-(10**17), 10**17, places=6), exponent=st.booleans())
def test_every_reader_reads_the_same_number(number: Decimal, exponent: bool) -> None:
    text = format(number, "E" if exponent else "f")

    assert of_file(text) == of_formula(text) == read_number(text) == number


@pytest.mark.parametrize("text", ["", "1_000", "nan", "inf", "\u0663", "1,5", "0x10", "1e", "--1", "1 2", "e5", "."])
def test_what_is_no_number_is_none_to_every_reader(text: str) -> None:
    assert decimal_in(text) is None
    for read in (of_file, of_formula, read_number):
        with pytest.raises(ValueError, match="number"):
            read(text)


@pytest.mark.parametrize(
    ("text", "fits"), [("999", True), ("1000", False), ("0.12", True), ("0.123", False), ("1e2", True), ("1e3", False)]
)
def test_a_number_fits_by_its_digits(text: str, fits: bool) -> None:
    number = decimal_in(text)

    assert number is not None
    assert has_room(number, digits=3, places=2) == fits
