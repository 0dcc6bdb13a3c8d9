"""The report of a pre-training: cards, curves of two sides, and what rows may lack."""

from report_page import parsed

from kbert.reports.pretraining import write_pretraining_report

HISTORY = [
    {"step": 100, "epoch": 0.5, "loss": 6.5, "masked_lm_accuracy": 0.125},
    {
        "step": 200,
        "epoch": 1.0,
        "loss": 5.5,
        "masked_lm_accuracy": 0.25,
        "next_sentence_accuracy": 0.75,
        "dev_loss": 5.25,
        "dev_masked_lm_accuracy": 0.3,
        "dev_next_sentence_accuracy": 0.8,
    },
    {"step": 1300, "epoch": 1.5, "loss": 5.0, "dev_loss": 5.75, "note": None},
    {"step": 1400, "loss": float("nan"), "dev_masked_lm_accuracy": 0.4},
]
FACTS = {
    "arguments": {"output": "runs/<mine>", "batch_size": 64},
    "data": {"source": "corpus/wiki.txt", "num_tokens": 1234567},
    "versions": {"kbert": "0.1.0"},
    "command": "kbert pretrain 'a<b>.txt'",
}


def _page(tmp_path, history, facts=None):
    path = write_pretraining_report(tmp_path / "report.html", history, facts)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    return path.read_text("utf-8")


def test_head_cards_and_facts(tmp_path):
    page = parsed(_page(tmp_path, HISTORY, FACTS))
    assert page.all("title")[0].text == "Pre-training · <mine> · wiki.txt"
    cards = page.all("dl", "cards")[0].all("div")
    assert [
        tuple(c.text for c in card.children if not isinstance(c, str)) for card in cards
    ] == [
        ("held-out masked LM accuracy", "40.00%"),
        ("held-out next sentence accuracy", "80.00%"),
        ("held-out loss", "5.7500best 5.2500 at step 200"),
        ("training masked LM accuracy", "25.00%"),
        ("training next sentence accuracy", "75.00%"),
        ("training loss", "5.0000"),
        ("steps", "1,400"),
        ("sequences seen", "89,600"),
        ("tokens in the corpus", "1.23 M1,234,567"),
    ]
    assert [card.classes for card in cards][:2] == [["main"], []]
    assert page.all("pre")[0].text == FACTS["command"]
    assert [row[0] for row in page.all("table", "facts")[0].rows()] == [
        "arguments",
        "data",
        "versions",
    ]


def test_training_and_held_out_share_a_chart(tmp_path):
    page = parsed(_page(tmp_path, HISTORY))
    captions = [caption.text for caption in page.all("figcaption")]
    assert captions == [
        "Masked LM accuracy: best held-out 40.00% at step 1,400",
        "Next sentence accuracy: best held-out 80.00% at step 200",
        "Loss: best held-out 5.2500 at step 200",
    ]
    loss = page.all("figure")[-1]
    keys = [key.text for key in loss.all("p", "keys")[0].all("span")]
    assert keys == ["training", "held-out"]
    training, held_out = (
        line.attributes["points"].split() for line in loss.all("polyline")
    )
    assert (len(training), len(held_out)) == (3, 2)
    (ring,) = loss.all("circle", "ring")
    assert f"{ring.attributes['cx']},{ring.attributes['cy']}" == held_out[0]
    assert [title.text for title in loss.all("title")][-2:] == [
        "held-out, step 200: 5.2500",
        "held-out, step 1,300: 5.7500",
    ]


def test_any_name_is_drawn_and_one_side_needs_no_legend(tmp_path):
    history = [{"step": s, "dev_<b>": s / 4, "learning_rate": 1e-4} for s in (1, 2)]
    page = parsed(_page(tmp_path, history))
    captions = [caption.text for caption in page.all("figcaption")]
    assert captions == [
        "Held-out <b>: best 50.00% at step 2",
        "Training learning rate",
    ]
    assert not page.all("p", "keys")


def test_no_row_yet_and_no_word_of_the_data(tmp_path):
    page = parsed(_page(tmp_path, [], {"arguments": None, "data": ["a.txt", "b.txt"]}))
    assert not page.all("svg")
    assert page.all("td")[-1].text == "a.txt, b.txt"


def test_nothing_runs_and_nothing_is_fetched(tmp_path):
    facts = {"command": "<script>alert(1)</script>", "note": "a\ud800b"}
    page = _page(tmp_path, HISTORY, facts)
    assert "<script" not in page.lower()
    assert parsed(page).all("td")[-1].text == "a?b"
    assert "default-src 'none'" in page
