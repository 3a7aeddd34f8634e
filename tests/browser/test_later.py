"""What is shared while home cannot be reached: kept, told, and sent by itself, once."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import SAMPLES, share, wait_for, write

LATER = "Will be shared when home is reachable."
PORTAL = {"status": 200, "content_type": "text/html", "body": "<main><h1>Free Wi-Fi</h1></main>"}
KEPT = "JSON.parse(localStorage.getItem('later') ?? '[]').length"


FETCHED = """() => performance.getEntriesByType("resource").map((each) => each.name)
  .filter((name) => name.endsWith("/later.js") || name.endsWith("/writing.js"))"""


def ready(page: Page) -> None:
    """What is loaded when a page has come to rest is there, with all that it needs."""
    wait_for(lambda: any("/later.js" in each for each in page.evaluate(FETCHED)), "later.js")
    for name in page.evaluate(FETCHED):
        page.evaluate("(name) => import(name).then(() => null)", name)


def test_a_post_waits_for_home_and_goes_by_itself(ada: Page, ben: Page, picture: Callable[[Page, str], None]) -> None:
    write(ben, "From the train")
    ready(ben)
    ben.context.set_offline(True)
    expect(ben.locator("#composer").get_by_role("button", name="Share when back online")).to_be_visible()
    ben.locator(".bar input[type=file]").set_input_files(SAMPLES / "cake.jpg")
    expect(ben.locator(".shelf-item")).to_have_count(1)
    ben.locator("#composer").get_by_role("button", name="Share when back online").click()
    card = ben.locator("#drafts .post", has_text="From the train")
    expect(card).to_contain_text(LATER)
    expect(card.locator("img[src^='blob:']")).to_have_count(1)
    expect(ben.get_by_label("Your words")).to_have_value("")
    picture(ben, "later")
    ben.context.set_offline(False)
    expect(ada.locator("#posts .post", has_text="From the train").locator(".tile")).to_have_count(1, timeout=40_000)
    expect(card).to_have_count(0, timeout=40_000)
    expect(ben.locator("#posts .post", has_text="From the train")).to_have_count(1)
    ada.reload()
    expect(ada.locator("#posts .post", has_text="From the train")).to_have_count(1)
    wait_for(lambda: ben.evaluate("[localStorage.later, localStorage.queue].every((each) => !each)"), "nothing left")


def test_a_post_that_waits_outlives_its_page(ada: Page, ben: Page) -> None:
    write(ben, "Kept over night")
    ready(ben)
    ben.route("**/feed", lambda route: route.abort())
    share(ben)
    expect(ben.locator("#drafts")).to_contain_text(LATER)
    ben.goto("/members")
    assert ben.evaluate(KEPT) == 1
    ben.unroute("**/feed")
    ben.goto("/")
    expect(ada.locator("#posts .post", has_text="Kept over night")).to_have_count(1)
    expect(ben.locator("#posts .post", has_text="Kept over night")).to_have_count(1)
    wait_for(lambda: ben.evaluate(KEPT) == 0, "it to be at home")


def test_a_post_that_waits_is_changed_or_taken_out(ada: Page, ben: Page) -> None:
    ready(ben)
    ben.context.set_offline(True)
    for words in ("First thought", "Second thought"):
        write(ben, words)
        ben.locator("#composer").get_by_role("button", name="Share when back online").click()
        expect(ben.locator("#drafts .post", has_text=words)).to_contain_text(LATER)
    ben.locator("#drafts .post", has_text="First thought").get_by_role("button", name="Remove").click()
    ben.locator("#drafts .post", has_text="Second thought").get_by_role("button", name="Edit").click()
    expect(ben.locator("#drafts .post")).to_have_count(0)
    field = ben.get_by_label("Your words")
    expect(field).to_have_value("Second thought")
    field.fill("Third thought")
    ben.context.set_offline(False)
    share(ben)
    expect(ada.locator("#posts .post", has_text="Third thought")).to_be_visible()
    expect(ada.locator("#posts .post", has_text="First thought")).to_have_count(0)
    expect(ada.locator("#posts .post", has_text="Second thought")).to_have_count(0)


def test_a_reply_waits_for_home_too(ada: Page, ben: Page, picture: Callable[[Page, str], None]) -> None:
    write(ada, "Who comes on Sunday?")
    share(ada)
    post = ben.locator("#posts .post", has_text="Who comes on Sunday?")
    path = urlsplit(str(post.locator(".post-when").get_attribute("href"))).path
    ada.goto(path)
    ben.goto(path)
    ready(ben)
    ben.context.set_offline(True)
    ben.locator(".say textarea").fill("We all do")
    ben.locator(".say").get_by_role("button", name="Send").click()
    expect(ben.locator("[data-unsent]", has_text="We all do")).to_contain_text(LATER)
    expect(ben.locator(".say textarea")).to_have_value("")
    picture(ben, "later-reply")
    ben.context.set_offline(False)
    expect(ada.locator(".message", has_text="We all do")).to_have_count(1, timeout=40_000)
    expect(ben.locator(".message", has_text="We all do")).to_have_count(1)
    expect(ben.locator("[data-unsent]")).to_have_count(0)


def test_a_strangers_answer_is_not_homes(ada: Page, ben: Page) -> None:
    write(ada, "Who brings the cake?")
    share(ada)
    path = str(ben.locator("#posts .post", has_text="Who brings the cake?").locator(".post-when").get_attribute("href"))
    write(ben, "In the café")
    ready(ben)
    ben.route("**/feed", lambda route: route.fulfill(**PORTAL))
    share(ben)
    expect(ben.locator("#drafts .post", has_text="In the café")).to_contain_text(LATER)
    ben.reload()
    expect(ben.locator("#drafts .post", has_text="In the café")).to_contain_text(LATER)
    ben.goto(path)
    ready(ben)
    ben.route("**/messages", lambda route: route.fulfill(**PORTAL))
    ben.locator(".say textarea").fill("I do")
    ben.locator(".say").get_by_role("button", name="Send").click()
    expect(ben.locator("[data-unsent]", has_text="I do")).to_contain_text(LATER)
    expect(ben.get_by_text("Free Wi-Fi")).to_have_count(0)
    assert ben.evaluate(KEPT) == 2
    ben.unroute("**/feed")
    ben.unroute("**/messages")
    ben.goto("/")
    expect(ada.locator("#posts .post", has_text="In the café")).to_have_count(1)
    wait_for(lambda: ben.evaluate(KEPT) == 0, "both to be at home")


def test_what_home_has_no_room_for_is_told_and_kept(ada: Page, ben: Page) -> None:
    full = "<main><div class=empty><h1>Home has no space left for this.</h1></div></main>"
    answer = {"status": 507, "content_type": "text/html", "body": full, "headers": {"HC-Home": "1"}}
    write(ben, "Straight away")
    ready(ben)
    ben.route("**/feed", lambda route: route.fulfill(**answer))
    share(ben)
    expect(ben.locator("#composer")).to_contain_text("Home has no space left for this.")
    expect(ben.get_by_label("Your words")).to_have_value("Straight away")
    assert ben.evaluate(KEPT) == 0
    ben.unroute("**/feed")
    ben.route("**/feed", lambda route: route.abort())
    share(ben)
    card = ben.locator("#drafts .post", has_text="Straight away")
    expect(card).to_contain_text(LATER)
    ben.unroute("**/feed")
    ben.route("**/feed", lambda route: route.fulfill(**answer))
    ben.reload()
    expect(card).to_contain_text("Home has no space left for this.")
    ben.unroute("**/feed")
    card.get_by_role("button", name="Edit").click()
    share(ben)
    expect(ada.locator("#posts .post", has_text="Straight away")).to_have_count(1)


def hold_with_photo(page: Page, words: str) -> None:
    """A post with a photo that neither home nor its photo's way is there for, on this page alone."""
    for path in ("**/feed", "**/uploads"):
        page.route(path, lambda route: route.abort())
    write(page, words)
    ready(page)
    page.locator(".bar input[type=file]").set_input_files(SAMPLES / "cake.jpg")
    expect(page.locator(".shelf-item")).to_have_count(1)
    share(page)
    expect(page.locator("#drafts .post", has_text=words).locator("img[src^='blob:']")).to_have_count(1)


def test_a_second_page_leaves_a_post_to_the_one_with_its_photos(ada: Page, ben: Page) -> None:
    hold_with_photo(ben, "From two windows")
    second, sent = ben.context.new_page(), []
    second.on("request", lambda asked: sent.append(asked.url) if asked.method == "POST" else None)
    # a busy machine's first page takes longer to answer than the second one would wait
    second.add_init_script(
        "{ const soon = setTimeout; window.setTimeout = (what, wait, ...more) =>"
        " soon(what, wait === 300 ? 3000 : wait, ...more); }"
    )
    second.goto("/")
    card = second.locator("#drafts .post", has_text="From two windows")
    expect(card).to_contain_text(LATER)
    expect(card.get_by_role("button", name="Edit")).to_be_hidden()
    second.evaluate("new Promise((done) => setTimeout(done, 6000))")  # time for it to try
    assert second.evaluate("localStorage.queue") == "1"
    for path in ("**/feed", "**/uploads"):
        ben.unroute(path)
    ben.evaluate("document.getElementById('live').dispatchEvent(new Event('reached'))")
    expect(ada.locator("#posts .post", has_text="From two windows").locator(".tile")).to_have_count(1, timeout=60_000)
    expect(card).to_have_count(0)
    assert sent == []


def test_a_post_whose_photo_is_lost_asks_what_to_do(ada: Page, ben: Page) -> None:
    hold_with_photo(ben, "Without a store")
    ben.evaluate("new Promise((done) => (indexedDB.deleteDatabase('homecircle').onsuccess = done))")
    for path in ("**/feed", "**/uploads"):
        ben.unroute(path)
    ben.reload()
    card = ben.locator("#drafts .post", has_text="Without a store")
    expect(card).to_contain_text("A photo of this is no longer on this device.")
    expect(ada.locator("#posts .post", has_text="Without a store")).to_have_count(0)
    card.get_by_role("button", name="Edit").click()
    share(ben)
    expect(ada.locator("#posts .post", has_text="Without a store")).to_have_count(1)


def test_a_device_for_all_keeps_nothing(ben: Page) -> None:
    write(ben, "At the tablet")
    ready(ben)
    ben.evaluate("document.getElementById('live').dataset.me = ''")
    ben.route("**/feed", lambda route: route.abort())
    share(ben)
    expect(ben.locator("#composer")).to_contain_text("That didn't reach home. Try again?")
    expect(ben.get_by_label("Your words")).to_have_value("At the tablet")
    assert ben.evaluate(KEPT) == 0


def test_a_photo_chosen_too_early_is_not_lost_silently(ben: Page) -> None:
    ben.route("**/writing.js", lambda route: route.abort())
    ben.reload()
    field = ben.locator(".bar input[type=file]")
    field.set_input_files(SAMPLES / "cake.jpg")
    expect(ben.locator("#toasts")).to_contain_text("That didn't reach home. Try again?")
    assert field.evaluate("(field) => field.files.length") == 1


def test_what_is_taken_out_while_another_goes_does_not_go(ada: Page, ben: Page) -> None:
    ready(ben)
    ben.route("**/feed", lambda route: route.abort())
    for words in ("On its way", "Taken out"):
        write(ben, words)
        share(ben)
        expect(ben.locator("#drafts .post", has_text=words)).to_contain_text(LATER)
    going: list[Route] = []
    ben.unroute("**/feed")
    ben.route("**/feed", lambda route: going.append(route))
    ben.evaluate("document.getElementById('live').dispatchEvent(new Event('reached'))")
    wait_for(lambda: ben.evaluate("1") and going, "the first to go")
    first = ben.locator("#drafts .post", has_text="On its way")
    expect(first.get_by_role("button", name="Edit")).to_be_disabled()
    expect(first.get_by_role("button", name="Remove")).to_be_disabled()
    ben.locator("#drafts .post", has_text="Taken out").get_by_role("button", name="Remove").click()
    going[0].continue_()
    expect(ada.locator("#posts .post", has_text="On its way")).to_have_count(1)
    expect(ben.locator("#drafts .post")).to_have_count(0)
    assert (len(going), ben.evaluate(KEPT)) == (1, 0)


def test_a_reply_that_waits_is_changed_with_what_it_quotes(ada: Page, ben: Page) -> None:
    write(ada, "What shall we eat?")
    share(ada)
    post = ben.locator("#posts .post", has_text="What shall we eat?")
    ben.goto(urlsplit(str(post.locator(".post-when").get_attribute("href"))).path)
    ready(ben)
    ben.locator(".say textarea").fill("Soup")
    ben.locator(".say").get_by_role("button", name="Send").click()
    mark = ben.locator(".message-answer input")
    expect(mark).to_have_count(1)
    expect(ben.locator(".say textarea")).to_have_value("")
    ben.route("**/messages", lambda route: route.abort())
    mark.check(force=True)
    ben.locator(".say textarea").fill("With bread")
    ben.locator(".say").get_by_role("button", name="Send").click()
    held = ben.locator("[data-unsent]", has_text="With bread")
    expect(held).to_contain_text(LATER)
    expect(mark).not_to_be_checked()
    held.get_by_role("button", name="Edit").click()
    expect(ben.locator(".say textarea")).to_have_value("With bread")
    expect(mark).to_be_checked()


def test_a_photo_taken_out_of_the_tray_leaves_its_post(ada: Page, ben: Page) -> None:
    hold_with_photo(ben, "Without the cake")
    ben.evaluate(
        """new Promise((done) => {
          indexedDB.open("homecircle").onsuccess = ({ target: { result } }) => {
            const change = result.transaction("files", "readwrite");
            change.objectStore("files").clear();
            change.oncomplete = () => done(result.close());
          };
        })"""
    )  # the phone forgot the bytes
    ben.reload()
    ben.locator("[data-open]").click()
    ben.locator("#tray").get_by_role("button", name="Remove").click()
    ben.locator("#tray").get_by_role("button", name="Close").click()
    card = ben.locator("#drafts .post", has_text="Without the cake")
    expect(card.locator("img")).to_have_count(0)
    for path in ("**/feed", "**/uploads"):
        ben.unroute(path)
    ben.evaluate("document.getElementById('live').dispatchEvent(new Event('reached'))")
    expect(ada.locator("#posts .post", has_text="Without the cake")).to_have_count(1)
    expect(ada.locator("#posts .post", has_text="Without the cake").locator(".draft, .tile")).to_have_count(0)


def test_a_post_with_a_photo_and_a_reply_wait_without_any_line(ada: Page, ben: Page) -> None:
    write(ada, "Who is where?")
    share(ada)
    card = ben.locator("#posts .post", has_text="Who is where?")
    expect(card).to_be_visible()
    ready(ben)
    ben.context.set_offline(True)
    write(ben, "Under the bridge")
    ben.locator("#composer [data-pick] input").first.set_input_files(SAMPLES / "cake.jpg")
    expect(ben.locator(".shelf-item")).to_have_count(1)
    share(ben)
    expect(ben.locator("#drafts .post", has_text="Under the bridge")).to_contain_text(LATER)
    card.locator("details.reply > summary").click()
    expect(card.locator("textarea")).to_be_focused()
    card.locator("textarea").fill("In the tunnel")
    card.get_by_role("button", name="Send").click()
    wait_for(lambda: ben.evaluate(KEPT) == 2, "both to be kept")
    ben.context.set_offline(False)
    expect(ada.locator("#posts .post", has_text="Under the bridge").locator(".tile")).to_have_count(1, timeout=60_000)
    expect(ada.locator(".message", has_text="In the tunnel")).to_be_visible(timeout=30_000)
    wait_for(lambda: ben.evaluate(KEPT) == 0, "both to be at home")


def test_after_sharing_one_sees_the_top_of_what_was_shared(ben: Page) -> None:
    names = ("cake.jpg", "garden.jpg", "harbour.jpg", "orientation-6.jpg")
    for number in range(6):
        write(ben, f"Something before, number {number}")
        share(ben)
        expect(ben.locator("#posts .post", has_text=f"number {number}")).to_be_visible()
    write(ben, "Four at once")
    ben.locator("#composer [data-pick] input").first.set_input_files([SAMPLES / name for name in names])
    expect(ben.locator(".shelf-item")).to_have_count(4)
    share(ben)
    post = ben.locator("#posts .post", has_text="Four at once")
    expect(post.locator("img[srcset]")).to_have_count(4, timeout=60_000)
    assert ben.evaluate("scrollY") == 0
