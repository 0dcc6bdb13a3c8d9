"""The page in a real browser: every kind of answer, and nobody else is asked."""

import json
import shutil
import socket
import threading
import time

import pytest
import small_models
import uvicorn

from kbert import signatures
from kbert.server.app import create_app
from kbert.server.model_store import ModelStore

playwright = pytest.importorskip("playwright.sync_api")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(not BROWSER, reason="there is no Chromium here")

OPTIONS = [
    *["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
    *["--disable-background-networking", "--disable-component-update"],
    "--disable-sync",
]
MARKUP = "<img src=x onerror=\"document.title='broken'\">"
ALL = {
    s.name: s
    for s in (
        signatures.classify(1),
        signatures.TAG,
        signatures.ANSWER,
        signatures.FILL_MASK,
        signatures.NEXT_SENTENCE,
        signatures.EMBED,
        signatures.TOKENIZE,
        signatures.attention(1),
    )
}
TEXTS = {
    "tag": ["😀 김연아는 밴쿠버에서"],
    "answer": ["누가?", "😀 세종이 만들었다. 😀"],
    "fill_mask": ["영화가 [MASK] [MASK]"],
    "next_sentence": ["하나.", "둘."],
    "embed": ["하나\n둘"],
}
OUTPUTS = {
    "classify": {
        "label": [MARKUP],
        "score": [0.75],
        "scores": [[0.25, 0.75]],
        "labels": [["부정", MARKUP]],
        "truncated": [True],
    },
    "tag": {
        "types": [["PS", "LC"]],
        "texts": [["김연아", "밴쿠버"]],
        "starts": [[2, 7]],
        "ends": [[5, 10]],
        "scores": [[0.9, 0.8]],
        "num_entities": [2],
        "truncated": [False],
    },
    "answer": {
        "answer": ["세종"],
        "start": [2],
        "end": [4],
        "score": [0.7],
        "n_best_answers": [["세종", "", "만들었다"]],
        "n_best_starts": [[2, -1, 6]],
        "n_best_ends": [[4, -1, 10]],
        "n_best_scores": [[0.7, 0.2, 0.1]],
        "num_answers": [3],
        "no_answer_probability": [0.2],
        "truncated": [False],
    },
    "fill_mask": {
        "tokens": [[["정말", "##는"], ["좋다", "!"]]],
        "scores": [[[0.6, 0.2], [0.5, 0.1]]],
        "filled": [[["정말 [MASK]", "는 [MASK]"], ["[MASK] 좋다", "[MASK] !"]]],
        "num_masks": [2],
        "truncated": [False],
    },
    "next_sentence": {"score": [0.25], "is_next": [False], "truncated": [False]},
    "embed": {"embedding": [[1, 0], [1, 1]], "truncated": [False, False]},
    "tokenize": {
        "tokens": [["영화", "##가", "[UNK]"]],
        "token_ids": [[5, 6, 1]],
        "starts": [[0, 2, 4]],
        "ends": [[2, 3, 5]],
        "num_tokens": [3],
    },
    "attention": {
        "tokens": [["[CLS]", "영화", "[SEP]"]],
        "attention": [[[0.2, 0.7, 0.1], [1, 0, 0], [0, 0, 1]]],
        "num_tokens": [3],
        "truncated": [False],
    },
}


@pytest.fixture(scope="module")
def url(exported):
    """A server in a thread, with a real model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app(ModelStore(exported("classifier")))
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield browser
        browser.close()


class Visit:
    """A page that is open, with what it asked for and complained of."""

    def __init__(self, browser, url, canned=True, **options):
        options = {"locale": "en-US"} | options
        self.page = browser.new_context(**options).new_page()
        self.errors, self.requests = [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", lambda request: self.requests.append(request.url))
        if canned:
            card = {"task": "encoder", "default_signature": "classify"}
            card |= {"num_layers": 2, "num_heads": 3, "parameters": 1234}
            declared = {name: s.to_config() for name, s in ALL.items()}
            model = {"name": "m", "versions": ["7"], "card": card}
            model["signatures"] = declared
            self.answer("**/v1/models", {"models": [model]})
            self.page.route("**/*:predict", self._predict)
        self.page.goto(url)
        self.page.wait_for_selector("#signatures button")

    def _said(self, message):
        if message.type == "error" and "500" not in message.text:
            self.errors.append(message.text)

    def answer(self, pattern, value, status=200):
        self.page.route(pattern, lambda route: route.fulfill(status=status, json=value))

    def _predict(self, route):
        name = json.loads(route.request.post_data)["signature_name"]
        route.fulfill(json={"outputs": OUTPUTS[name]})

    def run(self, name):
        """Chooses a function by its place, types, and waits for the answer."""
        self.page.locator("#signatures button").nth(list(ALL).index(name)).click()
        fields = self.page.locator("#form textarea").all()
        for field, text in zip(fields, TEXTS.get(name, ["영화가 좋다"]), strict=True):
            field.fill(text)
        self.page.click("button.run")
        self.page.wait_for_selector("#result:not([hidden])")
        return self.page.locator("#result")


@pytest.fixture(scope="module")
def visit(browser, url):
    visit = Visit(browser, url)
    yield visit
    assert not visit.errors
    assert all(asked.startswith((url, "data:")) for asked in visit.requests)


def test_a_real_model_answers(browser, url):
    visit = Visit(browser, url, canned=False, locale="ko-KR")
    assert visit.page.locator("#signatures button").first.inner_text() == "분류"
    visit.page.fill("#form textarea", "영화 좋다")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#result:not([hidden])")
    big = visit.page.locator(".big").inner_text()
    assert any(label in big for label in small_models.LABELS)
    assert visit.page.locator(".bars li").count() == 3
    visit.page.click("#language")
    assert visit.page.locator("#signatures button").first.inner_text() == "Classify"
    assert not visit.errors


def test_classes_and_markup_stay_text(visit):
    result = visit.run("classify")
    assert result.locator(".big").inner_text().startswith("<img")
    assert result.locator("img").count() == 0
    assert visit.page.title() == "kbert"
    shares = result.locator(".bars .number").all_inner_texts()
    assert shares == ["75.0%", "25.0%"]
    assert "longer than the model reads" in result.locator(".warning").inner_text()


def test_entities_stand_where_they_are(visit):
    """Offsets count characters; an emoji is two of JavaScript's."""
    entities = visit.run("tag").locator(".passage .entity")
    assert entities.all_inner_texts() == ["김연아PS", "밴쿠버LC"]
    text = visit.page.locator(".passage").inner_text()
    assert text == "😀 김연아PS는 밴쿠버LC에서"


def test_the_answer_is_marked(visit):
    result = visit.run("answer")
    assert result.locator("mark").inner_text() == "세종"
    result.locator(".bars li").nth(2).hover()
    assert result.locator("mark").inner_text() == "만들었다"
    result.locator(".bars li").nth(1).hover()
    assert result.locator("mark").count() == 0
    assert "No answer" in result.locator(".bars li").nth(1).inner_text()


def test_masks_are_filled(visit):
    result = visit.run("fill_mask")
    assert result.locator("ul").count() == 2
    result.locator(".bars li").nth(3).hover()
    assert result.locator(".passage").inner_text() == "[MASK] !"
    visit.page.fill("#form textarea", "nothing to fill")
    visit.page.click("button.run")
    assert "Put [MASK]" in visit.page.locator("#note.error").inner_text()
    visit.page.locator(".actions button").nth(1).click()
    assert "[MASK]" in visit.page.input_value("#form textarea")


def test_pairs_vectors_pieces(visit):
    assert "does not follow" in visit.run("next_sentence").locator(".big").inner_text()
    cells = visit.run("embed").locator(".cosine td").all_inner_texts()
    assert cells == ["1.00", "0.71", "0.71", "1.00"]
    chips = visit.run("tokenize").locator(".chips li")
    assert chips.count() == 3
    assert "unknown" in chips.nth(2).get_attribute("class")


def test_attention_is_a_picture(visit):
    result = visit.run("attention")
    heat = result.locator("svg").first
    assert heat.locator("rect").count() == 10  # a frame and 3 x 3
    assert "[CLS] → 영화" in heat.get_attribute("aria-label")
    assert visit.page.locator("select[name=head] option").count() == 3
    result.locator(".token").nth(1).hover()
    widths = [
        line.get_attribute("stroke-width") for line in result.locator("line").all()
    ]
    assert widths == ["6.00", "0.00", "0.00"]


def test_errors_are_said_and_curl_can_be_copied(browser, url):
    visit = Visit(browser, url)
    visit.run("classify")
    curl = visit.page.locator("#curl").text_content()
    assert curl.startswith(f"curl '{url}v1/models/m:predict' -d '")
    visit.answer("**/*:predict", {"error": "too much"}, status=500)
    visit.page.click("button.run")
    visit.page.wait_for_selector("#note.error")
    assert visit.page.locator("#note").inner_text() == "500: too much"
    assert visit.page.locator("#result").is_hidden()
    visit.page.fill("#form textarea", "  ")
    visit.page.click("button.run")
    assert "type something" in visit.page.locator("#note").inner_text()


def test_a_late_answer_is_dropped(browser, url):
    visit = Visit(browser, url)
    held = []

    def slow(route):
        if "first" in route.request.post_data:
            held.append(route)
        else:
            outputs = OUTPUTS["classify"] | {"label": ["second"]}
            route.fulfill(json={"outputs": outputs})

    visit.page.route("**/*:predict", slow)
    for text in ("first", "second"):
        visit.page.fill("#form textarea", text)
        visit.page.click("button.run")
    visit.page.wait_for_selector("#result:not([hidden])")
    try:
        outputs = OUTPUTS["classify"] | {"label": ["first"]}
        held[0].fulfill(json={"outputs": outputs})
    except playwright.Error:
        pass  # it was given up already
    visit.page.wait_for_timeout(100)
    assert visit.page.locator(".big").inner_text().startswith("second")


@pytest.mark.parametrize("name", ["classify", "answer", "attention", "embed"])
def test_a_phone_needs_no_scrolling_sideways(browser, url, name):
    size = {"width": 360, "height": 740}
    visit = Visit(browser, url, viewport=size, color_scheme="dark")
    visit.run(name)
    width = visit.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
