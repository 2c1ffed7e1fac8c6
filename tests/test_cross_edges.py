"""Edge cases: ties, integers beyond floats, empty chunks, time zones, odd objects, designs that do not match."""

import datetime as dt
import decimal
import io
from enum import Enum

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer

from sparsereg import DatePart, Edges, FeatureCross, Of, Quantiles, Split, Width
from sparsereg.crosses.onehot import csr_of_ones
from sparsereg.crosses.ragged import Ragged


def frame(**columns):
    return pd.DataFrame(columns)


def objects(*values):
    return pd.DataFrame({"a": pd.Series(values, dtype=object)})


def names(table, **parameters):
    return list(FeatureCross(**parameters).fit(table).get_feature_names_out())


class TestQuantiles:
    @pytest.mark.parametrize("m", range(2, 8))
    def test_distinct_values_each_have_a_bin_where_there_are_as_many(self, m):
        for repeats in (1, 2, 25):
            column = np.repeat(np.arange(m), repeats)
            counts = FeatureCross(bins={0: Quantiles(m)}).fit(column[:, None]).blocks_[0].counts
            assert counts.tolist() == [repeats] * m

    @given(st.lists(st.integers(0, 20), min_size=1, max_size=60), st.integers(2, 12))
    def test_no_bin_of_the_fit_is_empty_and_each_edge_begins_one(self, values, n):
        values = np.array(values, dtype=float)
        edges = Quantiles(n).fit(values).edges
        assert len(edges) < n
        assert set(edges) <= set(values.tolist())
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        assert counts.min() > 0
        # As many bins as values, and no bin heavier than a share and one value's rows.
        if len(set(values.tolist())) > 1:
            assert edges
        heaviest = max(np.unique(values, return_counts=True)[1])
        assert counts.max() <= len(values) / n + 1 + heaviest

    def test_ties_are_not_split_and_continuous_columns_are_split_evenly(self):
        assert Quantiles(2).fit(np.array([0.0] * 60 + [1.0] * 40)) == Edges([1])
        assert Quantiles(10).fit(np.array([0.0] * 10 + [5.0] * 80 + [9.0] * 10)) == Edges([5, 9])
        assert Quantiles(2).fit(np.array([3.0, 3.0])) == Edges([])
        edges = Quantiles(4).fit(np.arange(100.0)).edges
        assert np.diff([0, *edges, 100]).tolist() == [25, 25, 25, 25]


class TestObjects:
    def test_the_type_of_a_column_does_not_depend_on_its_first_rows(self):
        late, early = objects(*[None] * 200, 0.5, 1.5), objects(0.5, 1.5, *[None] * 200)
        for table in (late, early):
            with pytest.raises(ValueError, match="Input X contains NaN: column 'a'"):
                FeatureCross().fit(table)
            assert names(table, bins={"a": Width(1)}) == ["a=[0,1)", "a=[1,2)", "a=missing"]
        with pytest.raises(ValueError, match=r"True \(bool\)|1 \(int\)"):
            FeatureCross().fit(objects(*[None] * 200, 1, True, 0))
        with pytest.raises(ValueError, match="column 'a' holds dates, which need a rule"):
            FeatureCross().fit(objects(*[None] * 200, pd.Timestamp("2020-01-01")))
        assert names(objects(np.str_("a"), "b")) == ["a=a", "a=b"]

    def test_integers_beside_any_missing_value_are_categories(self):
        large = 2**60 + 1
        for gap in (None, float("nan"), pd.NA, np.float32("nan")):
            fitted = FeatureCross().fit(objects(1, gap, large))
            assert fitted.levels_["a"].numbers.tolist() == [1, large]
            assert fitted.levels_["a"].missing

    def test_dates_as_objects(self):
        day, time = dt.date(2024, 2, 29), dt.datetime(2023, 12, 31, 23, 59)
        for cells in ([day, None], [time, pd.NaT], [pd.Timestamp(time), np.datetime64("2024-02-29"), None]):
            array = np.empty((len(cells), 1), dtype=object)
            array[:, 0] = cells
            for table, key in ((objects(*cells), "a"), (array, 0)):
                fitted = FeatureCross(bins={key: DatePart("month")}).fit(table)
                months = sorted({1 * pd.Timestamp(cell).month for cell in cells if not pd.isna(cell)})
                assert [fitted.inverse(k)[0][1] for k in range(len(months))] == months
                assert fitted.n_features_out_ == len(months) + 1
                with pytest.raises(ValueError, match="holds dates, which need a rule"):
                    FeatureCross().fit(table)
        nanoseconds = np.array([[np.datetime64("2020-01-01", "ns")]], dtype=object)
        assert names(nanoseconds, bins={0: DatePart("year")}) == ["x0=2020"]
        with pytest.raises(ValueError, match=r"column 'a' holds datetime.*its own time zone.*to_datetime"):
            FeatureCross(bins={"a": DatePart("hour")}).fit(objects(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)))

    def test_dates_of_arrow_inside_of_pandas(self):
        dtype = pd.ArrowDtype(pa.date32())
        table = frame(a=pd.Series([dt.date(2024, 2, 29), None], dtype=dtype))
        assert names(table, bins={"a": DatePart("day")}) == ["a=29", "a=missing"]

    def test_years_beyond_nanoseconds(self):
        table = frame(a=pd.Series(np.array(["300000-01-01"], "M8[s]")))
        assert names(table, bins={"a": DatePart("year")}) == ["a=300000"]

    def test_durations_are_refused_in_every_unit(self):
        for unit in ("ns", "us", "s", "D"):
            with pytest.raises(ValueError, match=r"column 'x0' holds .*\(timedelta\), a type that is not supported"):
                FeatureCross().fit(np.array([[1], [2]], f"m8[{unit}]"))

    def test_decimals_are_numbers(self):
        table = objects(decimal.Decimal("1.5"), None, 2)
        assert names(table, bins={"a": Width(1)}) == ["a=[1,2)", "a=[2,3)", "a=missing"]

    def test_strings_of_a_type_of_their_own_count_as_their_text(self):
        class Word(str, Enum):  # noqa: UP042
            A = "a"

        for cells in (["b", Word.A], [Word.A, "b"], [Word.A, Word.A, "b"]):
            assert names(objects(*cells)) == ["a=a", "a=b"]
            assert names(np.array(cells, dtype=object)[:, None]) == ["x0=a", "x0=b"]

    def test_what_is_not_read_says_so(self):
        for value in (b"x", {}, pd.Period("2024-01", "M"), 3j):
            with pytest.raises(ValueError, match=r"column 'a' holds .*, a type that is not supported; convert it"):
                FeatureCross().fit(objects(value, value))
        for large in (10**400, -(2**53) - 1):
            with pytest.raises(ValueError, match=f"column 'a' holds {large} beside floats, which cannot represent it"):
                FeatureCross(bins={"a": Width(1)}).fit(objects(large, 1.5))
        with pytest.raises(ValueError, match=r"1 \(int\), 2.5 \(float\), 'x' \(str\)"):
            FeatureCross().fit(objects(1, 2.5, "x"))


class TestCategoricals:
    def test_zero_has_no_sign(self):
        fitted = FeatureCross().fit(frame(a=pd.Categorical([-0.0, 1.0])))
        assert fitted.transform(frame(a=pd.Categorical([0.0, 1.0]))).nnz == 2
        assert names(pa.table({"a": pa.array([0.0, -0.0]).dictionary_encode()})) == ["a=0.0"]

    def test_categories_that_no_row_has_may_be_of_any_type(self):
        assert names(frame(a=pd.Categorical(["a", None], categories=["a", 1]))) == ["a=a", "a=missing"]
        assert names(frame(a=pd.Categorical([1, None], categories=["a", 1]))) == ["a=1", "a=missing"]

    def test_dictionaries_of_arrow_inside_of_pandas(self):
        dtype = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
        assert names(frame(a=pd.Series(["y", None, "x"], dtype=dtype))) == ["a=x", "a=y", "a=missing"]

    def test_integers_of_128_bits(self):
        assert names(pl.DataFrame({"a": pl.Series([3, None], dtype=pl.Int128)})) == ["a=3", "a=missing"]
        with pytest.raises(ValueError, match="column 'a' holds 1180591620717411303424, beyond 64 bits"):
            FeatureCross().fit(pl.DataFrame({"a": pl.Series([2**70], dtype=pl.Int128)}))


class TestIntegersBeyondFloats:
    def test_ids_that_came_as_floats_are_refused(self):
        i = 2**53
        fitted = FeatureCross(handle_unknown="error").fit(frame(id=[i, i + 1, i + 2]))
        chunk = pd.read_csv(io.StringIO(f"id,z\n{i + 1},1\n,2\n"))
        with pytest.raises(
            ValueError, match=r"column 'id' was fitted as integers but holds 9007199254740992\.0 in row 0"
        ):
            fitted.transform(chunk)
        with pytest.raises(ValueError, match="column 'id' was fitted as integers"):
            FeatureCross().partial_fit(frame(id=[1])).partial_fit(frame(id=[-(2.0**60)]))

    @pytest.mark.parametrize("rule", [Width(60 * 10**9), Edges([2**53 + 4]), Quantiles(2)])
    def test_binned_integers_are_refused(self, rule):
        X = np.array([[2**53 + 3], [2**53 + 4]])
        with pytest.raises(ValueError, match="column 'x0' holds 9007199254740995 in row 0, and as floats"):
            FeatureCross(bins={0: rule}).fit(X)
        with pytest.raises(ValueError, match="and as floats"):
            FeatureCross(numeric=[0]).fit(-X)
        FeatureCross(bins={0: rule}).fit(np.array([[2**53], [-(2**53)]]))

    def test_numbers_beyond_float32(self):
        X = frame(a=[0.0, -1e39])
        with pytest.raises(ValueError, match="column 'a' holds -1e\\+39 in row 1, too large for dtype=float32"):
            FeatureCross(dtype=np.float32).fit_transform(X)
        assert FeatureCross().fit_transform(X).nnz == 1


class TestChunks:
    def test_a_chunk_whose_texts_are_all_empty(self):
        text = "k,s,d,g,b\n" + "".join(f"{i},a{i % 3},2024-01-0{i + 1},x|y,True\n" for i in range(4))
        text += "".join(f"{i},,,,\n" for i in range(4, 8))
        cross = FeatureCross(crosses=[("k", "s")], bins={"d": DatePart("day"), "g": Split("|")})
        for chunk in pd.read_csv(io.StringIO(text), chunksize=4, parse_dates=["d"]):
            cross.partial_fit(chunk)
        for name in "sdgb":
            assert cross.levels_[name].missing
        found = cross.transform(chunk)
        assert found.shape[0] == 4
        assert found.nnz == 4 * 6
        with pytest.raises(ValueError, match="Input X contains NaN: column 'z'"):
            FeatureCross().fit(frame(z=[0.5])).transform(frame(z=[np.nan]))

    def test_tables_without_rows_have_no_types(self):
        fitted = FeatureCross(bins={"z": Width(1)}).fit(frame(a=[1, 2], b=["x", "y"], z=[0.5, 1.5], n=[0.1, 0.2]))
        for empty in (pd.DataFrame(columns=list("abzn")), frame(a=[], b=[], z=[], n=[])):
            assert fitted.transform(empty).shape == (0, fitted.n_features_out_)


class TestMatching:
    X = frame(a=[1.0, 2.0, 3.0], b=[4.0, 5.0, 6.0])

    def of(self, column):
        return FeatureCross(bins={"f": Of(column, Width(1))}, fields=["f"]).fit(self.X)

    def test_fields_of_different_columns_are_different(self):
        with pytest.raises(ValueError, match="field 'f' is made of column 'a' on one side and of 'b' on the other"):
            self.of("a").merge(self.of("b"))
        assert self.of("a").columns_in(self.of("b")).tolist() == [-1, -1, -1]
        whole = FeatureCross().fit(frame(a=["x"]))
        assert FeatureCross(bins={"a": Split("|")}).fit(frame(a=["x"])).columns_in(whole).tolist() == [-1]

    @pytest.mark.parametrize(
        "other", [{"missing": "zero"}, {"min_count": 2}, {"max_levels": 3}, {"rare": "pool", "min_count": 2}]
    )
    def test_only_what_was_fitted_alike_is_merged(self, other):
        X = frame(a=["p", None, "q", "q"])
        with pytest.raises(ValueError, match="fit both with the same parameters"):
            FeatureCross().fit(X).merge(FeatureCross(**other).fit(X))
        grown = FeatureCross().partial_fit(X).set_params(**other)
        with pytest.raises(ValueError, match="fit both with the same parameters"):
            grown.partial_fit(X)

    @pytest.mark.parametrize("rule", [Width(2), None, DatePart("day"), Quantiles(3)])
    def test_a_rule_cannot_change_between_chunks(self, rule):
        cross = FeatureCross(bins={"a": Width(1)}).partial_fit(self.X)
        cross.set_params(bins=None if rule is None else {"a": rule})
        with pytest.raises(ValueError, match="field 'a' was fitted with Width"):
            cross.partial_fit(self.X)

    def test_quantiles_go_on_with_the_edges_of_the_first_chunk(self):
        cross = FeatureCross(bins={"a": Quantiles(3)}).partial_fit(self.X)
        before = cross.levels_["a"].bins
        assert cross.partial_fit(self.X + 10).levels_["a"].bins == before

    def test_arrays_hold_the_width_that_was_fitted(self):
        cross = FeatureCross(hashed=8).fit(frame(a=[1, 2, 3]))
        cross.set_params(hashed=2)
        again = FeatureCross.from_arrays(cross.to_arrays())
        assert again.transform(frame(a=[1])).shape == cross.transform(frame(a=[1])).shape == (1, 8)

    def test_hashed_bins_go_by_their_edges(self):
        near, far = (
            FeatureCross(bins={"a": Quantiles(3)}, hashed=8).fit(frame(a=np.arange(9.0) + k)) for k in (0, 100)
        )
        with pytest.raises(ValueError, match="field 'a' has other bins"):
            near.columns_in(far)
        with pytest.raises(ValueError, match="field 'a' is not in the other"):
            near.columns_in(FeatureCross(hashed=8).fit(frame(b=["x"])))
        wide = [FeatureCross(bins={"a": Edges(edges)}, hashed=2**30).fit(frame(a=[0.5])) for edges in ([0], [0, 7])]
        assert wide[0].transform(frame(a=[0.5])).indices != wide[1].transform(frame(a=[0.5])).indices
        grown = FeatureCross(bins={"a": Width(1)}, hashed=8).partial_fit(frame(a=[1.5]))
        first = FeatureCross.from_arrays(grown.to_arrays())
        assert first.columns_in(grown.partial_fit(frame(a=[7.5]))).tolist() == list(range(8))


class TestZones:
    times = pd.to_datetime(["2020-01-01T23:30Z", "2020-01-01T22:30Z"])

    def test_a_fitted_zone_is_kept(self):
        berlin = frame(a=self.times.tz_convert("Europe/Berlin"))
        fitted = FeatureCross(bins={"a": DatePart("hour")}).fit(berlin)
        assert fitted.transform(pl.from_pandas(berlin)).nnz == 2
        again = FeatureCross.from_arrays(fitted.to_arrays())
        for other, words in [
            (self.times, "in the zone UTC, but was fitted in the zone Europe/Berlin"),
            (self.times.tz_localize(None), "without a time zone, but was fitted in the zone Europe/Berlin"),
        ]:
            for call in (fitted.transform, again.transform, fitted.partial_fit):
                with pytest.raises(ValueError, match=f"column 'a' holds dates {words}"):
                    call(frame(a=other))
            with pytest.raises(ValueError, match=r"field 'a' has dates in the zone Europe/Berlin on one side"):
                fitted.merge(FeatureCross(bins={"a": DatePart("hour")}).fit(frame(a=other)))
        assert fitted.transform(frame(a=[None, None])).nnz == 0


class TestIndices:
    def test_columns_beyond_31_bits_do_not_wrap(self):
        codes = np.array([5], np.int32)
        for start in (2**31 - 3, 2**31 + 3):
            for part in (codes, Ragged(codes, np.array([0]), 1)):
                blocks = [np.array([0], np.int32), part, codes]
                found = csr_of_ones(blocks, [0, start, start + 10], [], (1, 2**31 + 30), np.float64)
                assert found.indices.tolist() == [0, start + 5, start + 15]
                assert found.indices.dtype == np.int64


class TestNames:
    def test_no_two_columns_have_one_name(self):
        found = names(frame(a=["1 x b=2", "1"], b=["2", "2"]), crosses=[("a", "b")])
        assert len(set(found)) == len(found) == 5
        assert found[1] == "a='1 x b=2'"

    def test_empty_hashed_columns_have_names_too(self):
        cross = FeatureCross(hashed=16)
        both = ColumnTransformer([("c", cross, ["a"])], verbose_feature_names_out=False)
        found = both.fit(frame(a=[1, 2])).get_feature_names_out().tolist()
        assert len(set(found)) == 16
        assert "hashed3" in found or "hashed4" in found

    def test_a_number_beside_hashed_columns_has_a_meaning(self):
        fitted = FeatureCross(hashed=4).fit(frame(a=[1, 2], z=[0.5, 1.5]))
        assert fitted.inverse(4) == (("z", (-np.inf, np.inf)),)
        with pytest.raises(ValueError, match="no single meaning"):
            fitted.inverse(3)


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"degree": 2, "main_effects": False}, "main_effects and crosses leave no columns"),
            (
                {"crosses": ("a", "b")},
                r"crosses=\('a', 'b'\) must be a list of tuples of columns, such as \[\('a', 'b'\)\], or 'auto'",
            ),
            ({"main_effects": ["b"], "numeric": ["a"]}, "numeric names 'a', which is not in main_effects"),
            ({"max_memory": 2.5}, "max_memory=2.5 must be a whole number"),
        ],
    )
    def test_are_refused_by_name(self, parameters, words):
        with pytest.raises(ValueError, match=words):
            FeatureCross(**parameters).fit(frame(a=[1, 2], b=[0.5, 1.5]))

    def test_memory_may_be_written_with_an_exponent(self):
        assert FeatureCross(max_memory=2e9).fit(frame(a=[1])).n_features_out_ == 1

    def test_booleans_pass_through_as_zero_and_one(self):
        found = FeatureCross(numeric=["a"]).fit_transform(frame(a=[True, False, True]))
        assert found.toarray().tolist() == [[1], [0], [1]]

    @pytest.mark.parametrize("edges", [[10**400], None, ["x"], 3])
    def test_edges_that_are_none(self, edges):
        with pytest.raises(ValueError, match="edges="):
            Edges(edges)

    def test_widths_that_floats_cannot_tell_apart(self):
        with pytest.raises(ValueError, match="period="):
            Width(1, period=10**30)
        for rule in (Width(1e-9, origin=10**17 + 16), Width("1e-12", origin=1_700_000_000)):
            with pytest.raises(ValueError, match=r"is infinite or too (far|large)"):
                rule.index(np.array([float(rule.origin), float(rule.origin) + 16]))

    def test_each_column_is_read_once(self):
        reads = []

        class Counting(pd.Series):
            @property
            def _constructor(self):
                return Counting

            def to_numpy(self, *args, **kwargs):
                reads.append(self.name)
                return super().to_numpy(*args, **kwargs)

        X = pd.DataFrame({"t": Counting(pd.to_datetime(["2024-01-01", "2024-02-01"]), name="t")})
        parts = {part: Of("t", DatePart(part)) for part in ("year", "month", "day")}
        FeatureCross(bins=parts).fit(X)
        assert len(reads) <= 1
