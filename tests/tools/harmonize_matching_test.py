"""tools/harmonization: texts to terms. Planted variants with known answers, synonyms that were withheld, real labels, measures, names of
columns. What is said to be measured here stands in tests/README.md."""

import collections
import random
import re

import pytest

import planted_variants
from harmonization import answers, columns, lexicon, schema, terms
from harmonization.answers import Reader


@pytest.fixture(scope="module")
def readers():
    return {name: Reader(field) for name, field in schema.fields().items()}


def outcome(answer, identifier):
    if answer.status != "mapped":
        return answer.status
    return "right" if identifier in answer.values else "wrong"


def test_planted_variants(readers):
    variants = planted_variants.variants(seed=20261122, held_out=True)  # no term of these was looked at while the matching was made
    assert len(variants) == 500
    outcomes, surely_wrong = collections.Counter(), []
    for kind, field, text, identifier in variants:
        answer = readers[field].read(text)
        outcomes[kind, outcome(answer, identifier)] += 1
        if answer.confidence > 0.9 and outcome(answer, identifier) == "wrong":
            surely_wrong.append((text, identifier, answer))
    right = sum(count for (_, what), count in outcomes.items() if what == "right")
    wrong = sum(count for (_, what), count in outcomes.items() if what == "wrong")
    print(f"planted: {right} of {len(variants)} right, {wrong} wrong", dict(outcomes))
    assert right >= 0.95 * len(variants) and not surely_wrong


def test_synonyms_that_were_withheld(readers):
    """What the matching does with names that it has never seen: few are found, and what is found is right."""
    outcomes, surely_wrong = collections.Counter(), []
    for field, name in (("cell_type", "CL"), ("tissue", "UBERON")):
        phrases = list(terms.phrases(name))
        letters = collections.defaultdict(set)
        for phrase, identifier, _ in phrases:
            letters[re.sub("[^a-z0-9]", "", phrase.lower())].add(identifier)
        own = [(phrase, identifier) for phrase, identifier, how in phrases
               if how == "synonym" and len(phrase) > 4 and len(letters[re.sub("[^a-z0-9]", "", phrase.lower())]) == 1]
        withheld = dict(random.Random(20261122).sample(own, 150))
        known = lexicon.Lexicon((entry for entry in phrases if entry[0] not in withheld), schema.fields()[field].generic)
        for phrase, identifier in withheld.items():
            match = known.look_up(phrase)
            used = match.meaning and match.confidence >= answers.ACCEPT
            outcomes["right" if match.meaning == identifier else "wrong" if used else "not used"] += used or not used
            if used and match.meaning != identifier and match.confidence > 0.9:
                surely_wrong.append((phrase, identifier, match))
    print("withheld:", dict(outcomes))
    assert not surely_wrong and outcomes["wrong"] <= 0.06 * (outcomes["right"] + outcomes["wrong"])


@pytest.mark.parametrize("name", ["kang_ifnb", "pbmc3k"])
def test_real_cell_types_agree_with_their_curators(readers, shared_data, name):
    import metadata_files

    obs = metadata_files.read(shared_data / f"{name}.h5ad")
    pairs = obs.groupby(["cell_type_author", "cell_type_ontology_term_id"], observed=True).size()
    cells = collections.Counter()
    for (text, identifier), count in pairs.items():
        answer = readers["cell_type"].read(text)
        if answer.status == "mapped":
            assert answer.values[1] == identifier, text
        elif answer.status == "ambiguous":
            assert identifier in [other.id for other in answer.alternatives], text
        cells[answer.status] += count
    assert cells["mapped"] >= 0.8 * len(obs)


def test_real_cell_lines_and_assays_agree_with_their_curators(readers, shared_data):
    import metadata_files

    for name, field in (("sc_mixology", "cell_line"), ("sc_mixology", "assay"), ("perturb_crispr", "cell_line"), ("kang_ifnb", "assay"), ("pbmc3k", "assay"),
                        ("kang_ifnb", "disease"), ("sc_mixology", "disease"), ("bulk_pickrell", "sex"), ("pbmc3k", "tissue")):
        obs = metadata_files.read(shared_data / f"{name}.h5ad")[[field, f"{field}_ontology_term_id"]].drop_duplicates()
        for text, identifier in obs.itertuples(index=False):
            assert readers[field].read(text).values == readers[field].read(identifier).values != ("", ""), text


@pytest.mark.parametrize(("field", "text", "values", "how"), [
    ("cell_type", "CL_0000084", ("T cell", "CL:0000084"), "id"),
    ("disease", "MONDO:0000002", ("46 XX gonadal dysgenesis", "MONDO:0009299"), "id MONDO:0000002 replaced"),
    ("disease", "PATO:0000461", ("normal", "PATO:0000461"), "id"),
    ("tissue", "lung || liver", ("liver|lung", "UBERON:0002107|UBERON:0002048"), "several: label"),
    ("tissue", "unknown; lung", ("lung", "UBERON:0002048"), "label"),
    ("cell_line", "hek-293 t", ("HEK293T", "CVCL_0063"), "word"),
    ("perturbation", "MAPK1+KLF1", ("KLF1|MAPK1",), "as written"),
    ("perturbation", "KLF1+ctrl", ("KLF1",), "as written"),
    ("perturbation", "Non-Targeting", ("control",), "control"),
    ("library_layout", "paired-end", ("PAIRED",), "word"),
])
def test_one_text(readers, field, text, values, how):
    answer = readers[field].read(text)
    assert (answer.status, answer.values, answer.how) == ("mapped", values, how)


@pytest.mark.parametrize(("field", "text", "status", "how", "alternatives"), [
    ("cell_type", "CL:0000002", "left", "id deprecated without replacement", []),
    ("cell_type", "CL:0000004", "ambiguous", "id deprecated without replacement", ["CL:0000000"]),
    ("cell_type", "CL:9999999", "left", "no id of CL in the versions used", []),
    ("disease", "UBERON:0002048", "left", "no id of MONDO or PATO in the versions used", []),
    ("tissue", "lung|nonesuch", "left", "several values, not all of them known", []),
    ("cell_type", "CD16 Mono", "ambiguous", "word", ["CL:0002396", "CL:0002397"]),
    ("cell_line", "H1", "ambiguous", "word", ["CVCL_9771", "CVCL_D4YF"]),
    ("cell_line", "K-526", "left", "nothing near", []),
    ("cell_type", "CD5 T", "ambiguous", "edit distance", []),
    ("sample_type", "primary", "ambiguous", "word", ["primary cells", "primary tissue"]),
    ("tissue", "Not Available", "missing", "says that it is missing", []),
])
def test_one_text_without_an_answer(readers, field, text, status, how, alternatives):
    answer = readers[field].read(text)
    assert (answer.status, answer.how) == (status, how) and not any(answer.values)
    assert set(alternatives) <= {other.id or other.label for other in answer.alternatives}


@pytest.mark.parametrize("text", ["CD4-positive, alpha-beta T cell", "CD8-positive, alpha-beta T cell", "T-helper 1 cell", "type II NK T cell"])
def test_neighbours_are_not_taken_for_one_another(text):
    """A word or number that is known is no typing error: without its own phrase a term is not found, rather than found wrong."""
    name = "CL"
    identifier = next(found for phrase, found, how in terms.phrases(name) if phrase == text and how == "label")
    known = lexicon.Lexicon(entry for entry in terms.phrases(name) if entry[1] != identifier)
    match = known.look_up(text)
    assert not match.meaning or match.confidence < answers.ACCEPT


def test_what_another_term_is_called_too_is_never_sure():
    known = lexicon.Lexicon([("alpha-beta cell", "A", "label"), ("alpha beta-cell", "B", "synonym")])
    assert known.look_up("alpha-beta cell") == lexicon.Match("A", 1.0, "label")
    assert known.look_up("alpha_beta_cell") == lexicon.Match("A", 0.9, "label, separators", (("B", 0.5),))


@pytest.mark.parametrize(("field", "text", "unit", "values"), [
    ("age", "45", "", ("45 year", "45-year-old stage", "HsapDv:0000139")),
    ("age", "45-year-old", "", ("45 year", "45-year-old stage", "HsapDv:0000139")),
    ("age", "HsapDv:0000139", "", ("45 year", "45-year-old stage", "HsapDv:0000139")),
    ("age", "6", "months", ("0.5 year", "6-month-old stage", "HsapDv:0000179")),
    ("age", "18 mo", "", ("1.5 year", "18-month-old stage", "HsapDv:0000191")),
    ("age", "3 days", "", ("0.0082137 year", "newborn stage (0-28 days)", "HsapDv:0000262")),
    ("age", "GW16", "", ("", "14th week post-fertilization stage", "HsapDv:0000051")),
    ("age", "22 pcw", "", ("", "22nd week post-fertilization stage", "HsapDv:0000059")),
    ("age", "60-69 years", "", ("", "seventh decade stage", "HsapDv:0000241")),
    ("age", ">89", "", ("", "90 year-old and over stage", "HsapDv:0000274")),
    ("age", "Fetal", "", ("", "fetal stage", "HsapDv:0000037")),
    ("dose", "10 µM", "", ("10 um",)), ("dose", "10uM", "", ("10 um",)), ("dose", "0,5 mM", "", ("500 um",)), ("dose", "250", "nM", ("0.25 um",)),
    ("dose", "5 mg/kg", "", ("5 mg/kg",)), ("dose", "0.1 ug/mL", "", ("100 ng/ml",)), ("dose", "2 Gy", "", ("2 gy",)), ("dose", "1e-3 M", "", ("1000 um",)),
    ("time", "24h", "", ("24 hours",)), ("time", "30 min", "", ("0.5 hours",)), ("time", "Day 7", "", ("168 hours",)), ("time", "D3", "", ("72 hours",)),
    ("time", "72hpi", "", ("72 hours",)), ("time", "6", "h", ("6 hours",)), ("time", "1.5 days", "", ("36 hours",)),
])
def test_measures(readers, field, text, unit, values):
    answer = readers[field].read(text, unit)
    assert (answer.status, answer.values) == ("mapped", values)


@pytest.mark.parametrize(("field", "text", "why"), [
    ("age", "230", "older than 130 years"), ("age", "-4", "no number with a unit"), ("age", "P7", "no unit of age: p"), ("dose", "10", "a number without a unit"),
    ("dose", "a lot", "no number with a unit"), ("dose", "10 parsec", "no unit of dose: parsec"), ("time", "overnight", "no number with a unit"),
    ("time", "7", "a number without a unit"), ("age", "gw60", "not a week before birth"),
])
def test_what_is_no_measure(readers, field, text, why):
    answer = readers[field].read(text)
    assert (answer.status, answer.how) == ("left", why)


@pytest.mark.parametrize(("name", "field", "role", "unit"), [
    ("tissue", "tissue", "value", ""), ("body site", "tissue", "value", ""), ("sampling_site", "tissue", "value", ""), ("tisue", "tissue", "value", ""),
    ("BodySite", "tissue", "value", ""), ("Tissue.Type", "tissue", "value", ""), ("cellType", "cell_type", "value", ""), ("CELL_TYPE", "cell_type", "value", ""),
    ("cell_type_author", "cell_type", "value", ""), ("cell_type_ontology_term_id", "cell_type", "id", ""), ("disease_ontology_id", "disease", "id", ""),
    ("celline", "cell_line", "value", ""), ("gendr", "sex", "value", ""), ("donor_sex", "sex", "value", ""), ("Sex (reported)", "sex", "value", ""),
    ("diagnosis", "disease", "value", ""), ("dieases", "disease", "value", ""), ("age_years", "age", "value", "years"), ("Age [months]", "age", "value", "[months]"),
    ("development_stage", "age", "value", ""), ("development_stage_ontology_term_id", "age", "id", ""), ("dose_uM", "dose", "value", "u M"),
    ("dose_unit", "dose", "unit", ""), ("time_h", "time", "value", "h"), ("TimePoint", "time", "value", ""), ("libary_layout", "library_layout", "value", ""),
    ("instrument_model", "instrument", "value", ""), ("assay", "assay", "value", ""), ("library_preparation_protocol", "assay", "value", ""),
    ("perturbation_type", "perturbation_type", "value", ""), ("treatment", "perturbation", "value", ""), ("dataset_id", "study", "value", ""),
])
def test_names_of_columns(name, field, role, unit):
    column = columns.recognise(name)
    assert (column.field, column.role) == (field, role)
    assert column.unit.strip("[]") == unit.strip("[]")


@pytest.mark.parametrize("name", ["batch", "n_counts", "n_perturbed_genes", "total_counts_all_genes", "percent_mito", "barcode", "cell_id", "sample", "donor_id",
                                  "condition", "cluster", "leiden", "n_cells", "orig.ident", "self_reported_ethnicity", "suspension", "is_primary_data", "doublet_score"])
def test_names_that_are_no_field(name):
    assert columns.recognise(name) is None


def test_every_word_of_the_schema_is_a_term(readers):
    for name, field in schema.fields().items():
        for word, meant in field.words.items():
            answer = readers[name].read(str(word))
            assert answer.status == ("ambiguous" if isinstance(meant, list) else "mapped"), (name, word, answer)
