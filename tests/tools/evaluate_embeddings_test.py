"""tools/evaluate_embeddings: figures against scikit-learn and scipy called by hand on the definitions, inputs, edge cases, report."""
import base64
import html.parser
import io
import json

import anndata
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics
from sklearn.cluster import KMeans
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import train_test_split

CLASSES = ["control", "A", "B", "C"]


@pytest.fixture(scope="module")
def planted():
    """[160, 12] in four clouds that overlap, the same moved a little, labels, names."""
    random = np.random.RandomState(0)
    code = random.permutation(np.repeat(np.arange(4), [70, 40, 30, 20]))
    values = (random.normal(0, 0.8, (4, 12))[code] + random.normal(0, 1, (160, 12)) + 3).astype("f4")
    moved = (values + random.normal(0, 0.25, values.shape)).astype("f4")
    return values, moved, np.array(CLASSES)[code], np.array([f"cell{i}" for i in range(160)])


@pytest.fixture
def files(planted, tmp_path):
    values, moved, labels, names = planted
    save(tmp_path / "moved", moved, names, labels)
    save(tmp_path / "base", values, names)
    return tmp_path


def save(folder, values, names, labels=None, **more):
    folder.mkdir(exist_ok=True)
    np.savez(folder / "embeddings.npz", embeddings=values, **({} if names is None else {"cells": names}), **more)
    if labels is not None:
        (folder / "metadata.json").write_text(json.dumps({"model": "planted", "obs": {"perturbation": list(map(str, labels))}}))


def read(folder):
    """-> ({(group, embedding, metric): value}, the same for reasons)."""
    table = pd.read_csv(folder / "evaluation_summary.csv", keep_default_na=False)
    places = list(zip(table.group, table.embedding, table.metric))
    assert len(set(places)) == len(places) and all((value == "") == (reason != "") for value, reason in zip(table.value, table.reason))
    return {place: float(value) for place, value in zip(places, table.value) if value != ""}, dict(zip(places, table.reason))


def evaluate(tool, *arguments, out, plots=False):
    done = tool("evaluate_embeddings", *arguments, "--output-dir", out, *([] if plots else ["--no-plots"]))
    assert done.returncode == 0, done.stderr
    return read(out)


def test_consistency_is_what_the_definitions_say(tool, files, planted):
    before, after = (x.astype("f8") for x in planted[:2])
    found, _ = evaluate(tool, files / "moved", "--baseline", files / "base", out=files / "out")
    cosine = np.array([a @ b / (np.linalg.norm(a) + 1e-8) / (np.linalg.norm(b) + 1e-8) for a, b in zip(before, after)])
    moved = [np.linalg.norm(a - b) for a, b in zip(before, after)]
    change = [m / (np.linalg.norm(a) + 1e-8) for m, a in zip(moved, before)]
    distances = [cdist(x, x) for x in (before, after)]
    off = ~np.eye(len(before), dtype=bool)
    kept, ranks = [], []
    for cell in range(len(before)):
        order = [[other for other in np.argsort(d[cell]) if other != cell] for d in distances]
        kept.append(len(set(order[0][:5]) & set(order[1][:5])) / 5)
        union = sorted(set(order[0][:5]) | set(order[1][:5]))
        ranks.append(spearmanr([order[0].index(o) for o in union], [order[1].index(o) for o in union]).statistic)
    by_hand = {
        "mean_cosine_similarity": cosine.mean(), "std_cosine_similarity": cosine.std(), "min_cosine_similarity": cosine.min(),
        "max_cosine_similarity": cosine.max(), "median_cosine_similarity": np.median(cosine),
        "mean_euclidean_distance": np.mean(moved), "mean_relative_change": np.mean(change), "max_relative_change": np.max(change),
        "distance_matrix_pearson": pearsonr(distances[0][off], distances[1][off]).statistic,
        "distance_matrix_spearman": spearmanr(distances[0][off], distances[1][off]).statistic,
        "mean_nn_preservation": np.mean(kept), "mean_rank_correlation": np.mean(ranks)}  # fmt: skip
    by_hand["acceptable"] = float(cosine.mean() > 0.99 and by_hand["distance_matrix_pearson"] > 0.95 and np.mean(kept) > 0.8)
    ours = {metric: value for (group, _, metric), value in found.items() if group == "consistency"}
    assert ours == pytest.approx(by_hand, rel=1e-9)
    assert 0.3 < np.mean(kept) < 0.95 and 0.5 < by_hand["distance_matrix_spearman"] < 0.999  # it is no trivial case


def test_quality_is_what_the_definitions_say(tool, files, planted):
    found, _ = evaluate(tool, files / "moved", "--baseline", files / "base", out=files / "out")
    labels = planted[2]
    for name, values in (("embedding", planted[1]), ("baseline", planted[0])):
        x = values.astype("f8")
        fit, held, of_fit, of_held = train_test_split(x, labels, test_size=0.2, random_state=42, stratify=labels)
        told = RidgeClassifier().fit(fit, of_fit).predict(held)
        clusters = KMeans(n_clusters=4, random_state=42, n_init=10).fit_predict(x)
        d = cdist(x, x)
        within, between, to_control, in_control, alike = [], [], [], [], []
        for i in range(len(x)):
            alike.append(np.mean([labels[j] == labels[i] for j in [j for j in np.argsort(d[i]) if j != i][:15]]))
            for j in range(len(x)):
                if i < j and labels[i] == labels[j]:
                    within.append(d[i, j])
                    in_control += [d[i, j]] if labels[i] == "control" else []
                if labels[i] != labels[j]:
                    between.append(d[i, j])
                    to_control += [d[i, j]] if labels[i] == "control" else []
        by_hand = {
            "zero_shot_accuracy": metrics.accuracy_score(of_held, told), "zero_shot_f1_score": metrics.f1_score(of_held, told, average="weighted"),
            "silhouette_score": metrics.silhouette_score(x, labels), "davies_bouldin_index": metrics.davies_bouldin_score(x, labels),
            "calinski_harabasz_score": metrics.calinski_harabasz_score(x, labels), "mean_intra_cluster_distance": np.mean(within),
            "mean_inter_cluster_distance": np.mean(between), "separation_ratio": np.mean(between) / (np.mean(within) + 1e-8),
            "knn_label_consistency": np.mean(alike), "adjusted_rand_index": metrics.adjusted_rand_score(labels, clusters),
            "normalized_mutual_info": metrics.normalized_mutual_info_score(labels, clusters),
            "mean_control_to_perturbation_distance": np.mean(to_control), "mean_control_intra_distance": np.mean(in_control),
            "control_separation_ratio": np.mean(to_control) / (np.mean(in_control) + 1e-8)}  # fmt: skip
        ours = {metric: value for (group, of, metric), value in found.items() if (group, of) == ("quality", name)}
        assert ours == pytest.approx(by_hand, rel=1e-7)
        assert 0.3 < by_hand["zero_shot_accuracy"] < 1 and 0.05 < by_hand["adjusted_rand_index"] < 0.95


def test_bands_are_reported_and_no_exit_code_depends_on_them(tool, files):
    evaluate(tool, files / "moved", "--baseline", files / "base", out=files / "out")
    table = pd.read_csv(files / "out" / "evaluation_summary.csv", keep_default_na=False)
    bands = {metric: float(limit) for metric, limit in zip(table.metric, table.good_above) if limit != ""}
    assert bands == {"mean_cosine_similarity": 0.99, "distance_matrix_pearson": 0.95, "mean_nn_preservation": 0.8, "zero_shot_accuracy": 0.65,
                     "silhouette_score": 0.3, "separation_ratio": 2, "knn_label_consistency": 0.7, "adjusted_rand_index": 0.5}  # fmt: skip
    for _, row in table.iterrows():
        assert row.within_band == ("" if row.good_above == "" else "yes" if float(row.value) > float(row.good_above) else "no")
    assert {"yes", "no"} <= set(table.within_band)
    geometry = pd.read_csv(files / "out" / "geometry_metrics.csv")
    assert list(geometry.embedding) == ["embedding", "baseline"] and list(geometry.num_samples) == [160, 160]
    assert set(table.metric) <= set(geometry.columns) and geometry.distance_matrix_pearson.isna().tolist() == [False, True]


def test_the_same_embedding_is_acceptable(tool, files):
    found, _ = evaluate(tool, files / "base", "--baseline", files / "base", out=files / "out")
    ours = {metric: value for (_, _, metric), value in found.items()}
    assert ours["acceptable"] == 1 and ours["mean_nn_preservation"] == 1 and ours["max_relative_change"] == 0
    assert ours["mean_rank_correlation"] == pytest.approx(1) and ours["min_cosine_similarity"] == pytest.approx(1, abs=1e-7)


def test_cells_are_matched_by_name(tool, files, planted):
    values, _, _, names = planted
    plain, _ = evaluate(tool, files / "moved", "--baseline", files / "base", out=files / "plain")
    order = np.random.RandomState(3).permutation(160)
    save(files / "turned", np.vstack([values[order], values[:9] + 7]), np.append(names[order], [f"other{i}" for i in range(9)]))
    turned, _ = evaluate(tool, files / "moved", "--baseline", files / "turned", out=files / "turned_out")
    assert turned == plain and "9 more cells, which were left out" in (files / "turned_out" / "report.html").read_text()

    def refusal(*arguments):
        done = tool("evaluate_embeddings", files / "moved", *arguments, "--output-dir", files / "none", "--no-plots")
        assert done.returncode == 65 and "Traceback" not in done.stderr and not (files / "none").exists()
        return done.stderr

    save(files / "fewer", values[:150], names[:150])
    assert "10 of 160 cells are not there, the first cell150" in refusal("--baseline", files / "fewer")
    save(files / "others", values, np.char.add(names, "-1"))
    assert "none of the cells is there; expected names such as cell0; found cell0-1" in refusal("--baseline", files / "others")
    save(files / "nameless", values, None)
    assert "--by-order" in refusal("--baseline", files / "nameless")
    assert evaluate(tool, files / "moved", "--baseline", files / "nameless", "--by-order", out=files / "ordered")[0] == plain
    save(files / "short", values[:150], None)
    assert "another number of cells; expected 160; found 150" in refusal("--baseline", files / "short", "--by-order")
    save(files / "twice", values, np.array(["same", *names[1:-1], "same"]))
    assert "two cells are called same" in refusal("--baseline", files / "twice")


def test_labels_come_from_obs_csv_json_or_the_file_itself(tool, files, planted):
    _, moved, labels, names = planted
    wanted, _ = evaluate(tool, files / "moved", out=files / "json")
    obs = pd.DataFrame({"kind": pd.Categorical(labels)}, index=names)
    cells = anndata.AnnData(obs=obs, obsm={"X_ours": moved, "X_pca": moved[:, :2]})
    cells.write_h5ad(files / "cells.h5ad")
    assert evaluate(tool, files / "cells.h5ad", "--key", "X_ours", "--label", "kind", out=files / "h5ad")[0] == wanted
    assert evaluate(tool, files / "base", "--labels", files / "cells.h5ad", "--label", "kind", out=files / "other")[0].keys() == wanted.keys()
    more = pd.concat([obs, pd.DataFrame({"kind": ["D"]}, index=["elsewhere"])]).sample(frac=1, random_state=0)
    more.to_csv(files / "labels.csv")
    more.to_csv(files / "labels.tsv", sep="\t")
    for name in ("labels.csv", "labels.tsv"):
        assert evaluate(tool, files / "moved", "--labels", files / name, "--label", "kind", out=files / name[-3:])[0] == wanted
    order = np.argsort(names)
    (files / "own.json").write_text(json.dumps({"cells": list(names[order]), "perturbation": list(labels[order])}))
    save(files / "bare", moved, names)
    assert evaluate(tool, files / "bare", "--labels", files / "own.json", out=files / "own")[0] == wanted
    save(files / "columns", moved, names, **{"obs/perturbation": labels})
    assert evaluate(tool, files / "columns", out=files / "columns_out")[0] == wanted
    save(files / "bytes", moved, names.astype("S"), **{"obs/perturbation": labels.astype("S")})
    assert evaluate(tool, files / "bytes", out=files / "bytes_out")[0] == wanted


def test_cells_without_a_label_are_left_out_of_quality(tool, files, planted):
    _, moved, labels, names = planted
    holes = labels.astype(object).copy()
    holes[::10], holes[5] = None, "unknown"
    known = np.setdiff1d(np.arange(160), [*range(0, 160, 10), 5])
    pd.DataFrame({"kind": holes}, index=names).to_csv(files / "holes.csv")
    found, _ = evaluate(tool, files / "moved", "--labels", files / "holes.csv", "--label", "kind", "--no-label", "unknown", out=files / "holes")
    assert found["quality", "embedding", "silhouette_score"] == pytest.approx(metrics.silhouette_score(moved[known].astype("f8"), labels[known]))
    assert "17 cells have no kind" in (files / "holes" / "report.html").read_text()


def test_cells_without_an_embedding_are_left_out(tool, files, planted):
    _, moved, labels, names = planted
    holed = moved.copy()
    holed[[4, 90]] = np.nan
    save(files / "holed", holed, names, labels)
    found, _ = evaluate(tool, files / "holed", "--baseline", files / "base", out=files / "out")
    save(files / "whole", np.delete(moved, [4, 90], 0), np.delete(names, [4, 90]), np.delete(labels, [4, 90]))
    assert found == evaluate(tool, files / "whole", "--baseline", files / "base", out=files / "whole_out")[0]
    assert "2 cells have no embedding" in (files / "out" / "report.html").read_text()


def test_many_cells_are_compared_by_a_sample_of_pairs(tool, files, planted):
    before, after, labels, _ = (x.astype("f8") if x.dtype == "f4" else x for x in planted)
    found, _ = evaluate(tool, files / "moved", "--baseline", files / "base", "--pairs-of", "90", "--seed", "7", out=files / "some")
    whole, _ = evaluate(tool, files / "moved", "--baseline", files / "base", out=files / "whole")
    some = np.sort(np.random.default_rng(7).choice(160, 90, replace=False))
    upper = np.triu_indices(90, 1)
    d = [cdist(x[some], x[some])[upper] for x in (before, after)]
    assert found["consistency", "embedding", "distance_matrix_pearson"] == pytest.approx(np.corrcoef(*d)[0, 1])
    assert found["quality", "embedding", "silhouette_score"] == pytest.approx(metrics.silhouette_score(after[some], labels[some]))
    differing = {place[2] for place in found if found[place] != whole[place]}
    assert differing == {"distance_matrix_pearson", "distance_matrix_spearman", "silhouette_score", "mean_intra_cluster_distance",
                         "mean_inter_cluster_distance", "separation_ratio", "mean_control_to_perturbation_distance",
                         "mean_control_intra_distance", "control_separation_ratio"}  # fmt: skip
    assert "All pairs are those of 90 of 160 cells, drawn with seed 7" in (files / "some" / "report.html").read_text()


@pytest.mark.parametrize("case, empty, reason", [
    ("one class", "all", "one class: A"),
    ("a class of one", ["zero_shot_accuracy", "zero_shot_f1_score"], "class rare has one cell: no stratified split"),
    ("a class a cell", ["zero_shot_accuracy", "silhouette_score", "davies_bouldin_index", "calinski_harabasz_score"], "each cell is a class of its own"),
    ("ten cells", ["zero_shot_accuracy", "knn_label_consistency"], "needs more than 15 cells"),
    ("all equal", ["silhouette_score", "separation_ratio"], "all cells have the same embedding"),
    ("no control", ["control_separation_ratio"], "no class is called control"),
])  # fmt: skip
def test_what_cannot_be_said_is_empty_with_its_reason(tool, files, planted, case, empty, reason):
    values, labels, names = planted[0].copy(), planted[2].astype(object).copy(), planted[3]
    some = slice(0, 10) if case == "ten cells" else slice(None)
    if case == "one class":
        labels[:] = "A"
    elif case == "a class of one":
        labels[17] = "rare"
    elif case == "a class a cell":
        labels = names.copy()
    elif case == "all equal":
        values[:] = values[0]
    elif case == "no control":
        labels[labels == "control"] = "D"
    save(files / "case", values[some], names[some], labels[some])
    found, reasons = evaluate(tool, files / "case", out=files / "out", plots=case in ("one class", "all equal"))
    without = {metric for (_, _, metric), text in reasons.items() if text}
    assert reason in reasons.values()
    assert without == {metric for _, _, metric in reasons} if empty == "all" else without >= set(empty)
    if case == "all equal":
        assert "159 cells have exactly the embedding of another" in (files / "out" / "report.html").read_text()
        assert found["quality", "embedding", "adjusted_rand_index"] == 0 and "KMeans" in (files / "out" / "report.html").read_text()
    if case == "a class of one":
        assert found["quality", "embedding", "silhouette_score"] == pytest.approx(metrics.silhouette_score(values.astype("f8"), labels.astype(str)))


def test_embeddings_of_other_widths_have_distances_and_neighbours_alone(tool, files, planted):
    save(files / "narrow", planted[0][:, :5], planted[3])
    found, reasons = evaluate(tool, files / "narrow", "--baseline", files / "base", out=files / "out")
    assert reasons["consistency", "embedding", "mean_cosine_similarity"] == "the embeddings have other widths: 12 and 5"
    assert reasons["consistency", "embedding", "acceptable"] == "no mean_cosine_similarity"
    assert 0 < found["consistency", "embedding", "distance_matrix_pearson"] < 1


def test_equal_rows_have_no_correlation_of_distances(tool, files, planted):
    save(files / "flat", np.ones_like(planted[0]), planted[3])
    _, reasons = evaluate(tool, files / "flat", "--baseline", files / "base", out=files / "out", plots=True)
    assert reasons["consistency", "embedding", "distance_matrix_pearson"] == "all pairs have the same distance"
    assert reasons["consistency", "embedding", "mean_rank_correlation"] == "each cell's neighbours are all equally far"


def test_refusals_say_what_and_where(tool, files, planted):
    values, _, labels, names = planted

    def refused(code, *arguments):
        done = tool("evaluate_embeddings", *arguments, "--output-dir", files / "none", "--no-plots")
        assert done.returncode == code and "Traceback" not in done.stderr and not (files / "none").exists()
        return done.stderr

    holed = values.copy()
    holed[3, 2], holed[8] = np.nan, np.inf
    holed[9] = np.nan  # one without any is no mistake
    save(files / "holed", holed, names, labels)
    text = refused(65, files / "holed")
    assert "not a finite number, in 2 cells; found nan" in text and "cell cell3, component 2" in text
    save(files / "holed", values * np.nan, names, labels)
    assert "no cell has an embedding: all are NaN" in refused(65, files / "holed")
    save(files / "several", values, names, baseline=values)
    text = refused(65, files / "several")
    assert "several arrays could be the embeddings" in text and "found embeddings, baseline" in text and "hint: --key names one" in text
    assert "--key x: there is no such array" in refused(64, files / "several", "--key", "x")
    assert "neither --baseline nor --label" in refused(64, files / "base")
    assert "--label x: there is no such column; found perturbation" in refused(64, files / "moved", "--label", "x")
    assert "--control x: no cell has this label; found A, B, C, control" in refused(64, files / "moved", "--control", "x")
    assert "no such file" in refused(66, files / "nowhere")
    (files / "text.npz").write_text("embeddings")
    assert "not an .npz of plain arrays" in refused(65, files / "text.npz")
    np.savez(files / "pickled.npz", embeddings=np.array([{}], dtype=object))
    assert "not an .npz of plain arrays" in refused(65, files / "pickled.npz")
    np.savez(files / "short.npz", embeddings=values, cells=names[:5])
    assert "another number of names than of embeddings; expected 160; found 5" in refused(65, files / "short.npz")
    assert "--pairs-of is at least 3" in refused(64, files / "moved", "--pairs-of", "1")


class Page(html.parser.HTMLParser):
    """What a browser would fetch, and which elements are open at the end."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.open, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_the_report_is_one_page_with_pictures_that_show_something(tool, files):
    done = tool("evaluate_embeddings", files / "moved", "--baseline", files / "base", "--output-dir", files / "out")
    assert done.returncode == 0 and "quality of the baseline" in done.stdout
    page = Page((files / "out" / "report.html").read_text())
    assert not page.open and len(page.sources) == 4 and all(source.startswith("data:image/png;base64,") for source in page.sources)
    pictures = {name: (files / "out" / f"{name}.png").read_bytes() for name in ("pca", "umap", "distance_correlation", "class_distances")}
    assert [base64.b64decode(source.partition(",")[2]) for source in page.sources] == list(pictures.values())
    for name, png in pictures.items():
        with Image.open(io.BytesIO(png)) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert pixels.shape[0] > 300 and pixels.shape[1] > 400, name
        shown = (pixels != 255).any(2)
        assert shown.mean() > 0.02 and len(np.unique(pixels[shown], axis=0)) > 50, name
    assert {"160", "perturbation", "zero_shot_accuracy", "called good"} <= {word for text in page.texts for word in (text, text.split()[-1] if text.split() else "")}


def test_pictures_of_a_handful_of_cells(tool, files, planted):
    save(files / "five", planted[0][:5], planted[3][:5], ["A", "A", "B", "B", "C"])
    done = tool("evaluate_embeddings", files / "five", "--baseline", files / "base", "--output-dir", files / "out")
    assert done.returncode == 0 and (files / "out" / "umap.png").exists()
    save(files / "two", planted[0][:2], planted[3][:2], ["A", "B"])
    done = tool("evaluate_embeddings", files / "two", "--output-dir", files / "pair")
    assert done.returncode == 0 and (files / "pair" / "pca.png").exists() and not (files / "pair" / "umap.png").exists()
