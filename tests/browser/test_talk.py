"""Talking on the page of one post: what is half typed survives what comes, and what comes below is told of."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.conftest import SAMPLES, People, share, still, wait_for, write
from tests.browser.test_tray import STORED

Picture = Callable[[Page, str], None]


@pytest.fixture
def post(ada: Page, ben: Page) -> str:
    """The page of a post of Ada's with enough talk under it to be scrolled."""
    write(ada, "Who brings the cake on Sunday, and which one?")
    share(ada)
    card = ada.locator(".post", has_text="Who brings the cake")
    path = urlsplit(str(card.locator(".post-when").get_attribute("href"))).path
    ada.goto(path)
    for number in range(12):
        say(ada, f"Idea number {number}")
    return path


def say(page: Page, words: str) -> None:
    page.locator(".say textarea").fill(words)
    page.locator(".say").get_by_role("button", name="Send").click()
    expect(page.locator(".message", has_text=words)).to_be_visible()
    expect(page.locator(".say textarea")).to_have_value("")


def _stays(ada: Page, talk: Page | Locator, field: Locator, words: str, marked: list[int]) -> None:
    """Type half of something and mark a part of it: both stay while three answers come into the talk."""
    field.fill(words)
    field.evaluate("(field, marked) => field.setSelectionRange(...marked)", marked)
    for number in range(3):
        say(ada, f"Or this one {number}")
        expect(talk.locator(".message", has_text=f"Or this one {number}")).to_have_count(1)
        expect(field).to_be_focused()
        typed = field.evaluate("({ value, selectionStart, selectionEnd }) => [value, selectionStart, selectionEnd]")
        assert typed == [words, *marked]


def test_a_half_typed_reply_survives_three_refreshes(ada: Page, ben: Page, post: str) -> None:
    ben.goto(post)
    _stays(ada, ben, ben.locator(".say textarea"), "I could bring the one with", [7, 12])


def test_what_is_typed_behind_a_reply_on_its_way_is_not_lost(ben: Page, post: str) -> None:
    ben.goto(post)
    held: list[Route] = []
    ben.route("**/messages", lambda route: held.append(route))
    field, send = ben.locator(".say textarea"), ben.locator(".say").get_by_role("button", name="Send")
    field.fill("On its way")
    send.click()
    wait_for(lambda: ben.evaluate("1") and held, "it to be sent")
    field.press("x")
    expect(field).to_have_value("On its way")  # it would go with the box: so it is not taken
    held[0].continue_()
    expect(ben.locator(".message", has_text="On its way")).to_be_visible()
    expect(field).to_have_value("")
    field.press_sequentially("Again")
    ben.unroute("**/messages")
    ben.route("**/messages", lambda route: route.abort())
    send.click()
    expect(ben.locator("[data-unsent]", has_text="Again")).to_be_visible()
    field.press_sequentially("And on")
    expect(field).to_have_value("And on")


def test_a_half_typed_reply_on_home_survives_three_refreshes(ada: Page, ben: Page, post: str) -> None:
    ben.goto("/")
    card = ben.locator(".post", has_text="Who brings the cake")
    card.locator("details.reply > summary").click()
    _stays(ada, card, card.locator("textarea"), "I could bring", [2, 5])


def test_an_answer_below_is_told_of_and_one_tap_away(ada: Page, ben: Page, post: str) -> None:
    ben.goto(post)
    ben.evaluate("scrollTo(0, 0)")
    say(ada, "The one with cherries")
    pill = ben.get_by_role("button", name="Ada replied")
    pill.click()
    expect(ben.locator(".message", has_text="with cherries")).to_be_focused()
    expect(ben.locator(".message", has_text="with cherries")).to_be_in_viewport()
    expect(pill).to_be_hidden()
    ben.evaluate("scrollTo(0, document.body.scrollHeight)")
    still(ben)
    say(ada, "And cream")
    expect(ben.locator(".message", has_text="And cream")).to_be_in_viewport()
    expect(pill).to_be_hidden()


def test_a_link_to_an_answer_leads_to_it(ada: Page, ben: Page, post: str, people: People) -> None:
    line = ada.locator(".message", has_text="Idea number 4").get_attribute("id")
    ben.goto(f"{post}#{line}")
    expect(ben.locator(f"#{line}")).to_be_in_viewport()
    expect(ben.locator(f"#{line}")).to_be_focused()


def choose(form: Locator, *names: str) -> None:
    form.locator(".reply-pick input").set_input_files([SAMPLES / each for each in names])


def test_a_photo_for_a_reply_is_seen_before_it_is_sent(ada: Page, ben: Page, post: str, picture: Picture) -> None:
    ben.goto(post)
    form = ben.locator(".say")
    choose(form, "cake.jpg", "garden.jpg")
    chosen = form.locator(".shelf-item")
    expect(chosen).to_have_count(2)
    expect(chosen.locator("img[src^='blob:']")).to_have_count(2)
    expect(form.locator(".shelf-item[data-state=done]")).to_have_count(2)
    picture(ben, "reply-photos")
    form.get_by_role("button", name="Leave garden.jpg out").click()
    wait_for(lambda: ben.evaluate(STORED) == ["cake.jpg"], "the other to be forgotten")
    ben.reload()  # half a reply comes back with its photo, and the composer does not take it
    expect(ben.locator(".say .shelf-item")).to_have_count(1)
    expect(ben.locator(".shelf-item")).to_have_count(1)
    say(ben, "Like this one")
    said = ada.locator(".message", has_text="Like this one")
    expect(said.locator(".tile")).to_have_count(1)
    expect(ben.locator(".shelf-item")).to_have_count(0)


def test_a_photo_alone_is_a_reply_on_home(ada: Page, ben: Page, post: str, picture: Picture) -> None:
    card = ben.locator(".post", has_text="Who brings the cake")
    card.locator("details.reply > summary").click()
    choose(card.locator("form.replybox").last, "cake.jpg")
    picture(ben, "reply-photo-home")
    expect(card.locator(".shelf-item")).to_have_count(1)
    card.get_by_role("button", name="Send").last.click()  # while it is still on its way, perhaps
    expect(ada.locator(".message").last.locator(".tile")).to_have_count(1)
    expect(card.locator(".message").last).to_contain_text("a photo")
    expect(card.locator("details.reply")).not_to_have_attribute("open", "")


@pytest.mark.parametrize("size", [1, 4])
def test_what_can_be_done_with_a_post_stands_on_one_line_in_german_too(ada: Page, size: int) -> None:
    write(ada, "Wer bringt den Kuchen?")
    share(ada)
    ada.locator("#posts .post", has_text="Kuchen").wait_for()
    ada.goto("/settings/look")
    ada.locator(f"[name=text_size][value='{size}']").check(force=True)
    ada.locator("#main form [type=submit]").last.click()
    ada.goto("/settings/language")
    ada.locator("select[name=language]").select_option("de")
    ada.locator("#main form [type=submit]").last.click()
    lines = """(all) => all.filter((one) => one.checkVisibility()).map((one) => {
        const { fontSize, lineHeight } = getComputedStyle(one);
        const words = document.createRange();
        words.selectNodeContents([...one.childNodes].findLast((each) => each.textContent.trim()));
        return words.getBoundingClientRect().height < 2 * (parseFloat(lineHeight) || parseFloat(fontSize));
    })"""
    ada.goto("/")
    acts = ada.locator(".post", has_text="Kuchen").locator(".post-acts > .button, .post-acts summary")
    assert acts.evaluate_all(lines) == [True, True]
    assert ada.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ada.locator(".post", has_text="Kuchen").locator(".post-when").click()
    react = ada.locator(".post-acts > .button")
    ada.locator(".say").wait_for()  # the page of the post is here
    assert react.evaluate_all(lines) == [True]
    within = "(one) => one.getBoundingClientRect().right <= one.closest('.post').getBoundingClientRect().right"
    assert react.evaluate(within)
