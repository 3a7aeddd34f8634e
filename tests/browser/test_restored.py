"""The dead disk: a new machine, the set-up code, *I have a backup*, and the devices that are still with the family."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import People, Server, invite, join_by_link, share, write
from tests.browser.test_every_page import ENLARGE, LOOKS, NARROW, faults


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_a_family_comes_back_from_its_backup(
    people: People, ada: Page, server: Server, tmp_path: Path, theme: str, size: int,
    picture: Callable[[Page, str], None],
) -> None:  # fmt: skip
    ada.goto("/members")
    link, _ = invite(ada, "Ben")
    ben, found = people.come(), []
    join_by_link(ben, link)
    ada.goto("/")
    write(ada, "From before the disk died.")
    share(ada)
    expect(ada.locator("#posts .post", has_text="From before the disk died.")).to_be_visible()
    usb = tmp_path / "usb"
    command = [sys.executable, "-m", "homecircle", "backup", "--data", str(server.data), "--to", str(usb)]
    subprocess.run(command, check=True, capture_output=True)
    ben.goto("about:blank")
    ada.goto("about:blank")
    server.stop()
    server.data = tmp_path / "new"
    server.start()

    def look(page: Page, name: str) -> None:
        page.set_viewport_size({"width": 390, "height": 844})
        picture(page, f"{name}-{theme}-{size}")
        found.extend(f"{name}: {each}" for each in faults(page))
        page.set_viewport_size({"width": 320, "height": 640})
        found.extend(f"{name} at 320: {each}" for each in page.evaluate(NARROW))

    new = people.come(color_scheme=theme)
    new.add_init_script(ENLARGE % size)
    new.goto("/")
    new.get_by_label("Set-up code").fill(server.setup_code())
    new.get_by_role("button", name="Start").click()
    new.get_by_role("link", name="I have a backup").click()
    expect(new.get_by_text("No backup was found on this machine.")).to_be_visible()
    look(new, "backup-none")
    new.get_by_label("It lies in another folder").fill(str(tmp_path))
    new.get_by_role("button", name="Look there").click()
    expect(new.get_by_text("There is no backup in")).to_be_visible()
    new.get_by_label("It lies in another folder").fill(str(usb))
    new.get_by_role("button", name="Look there").click()
    look(new, "backup-list")
    new.get_by_role("link", name="2 posts").click()
    look(new, "backup-chosen")
    new.get_by_role("button", name="Bring it back").click()
    expect(new.get_by_role("heading", name="Which devices are still with you?")).to_be_visible(timeout=40_000)
    look(new, "restored")
    new.get_by_role("checkbox", name="Ben").check(force=True)
    look(new, "restored-ticked")
    ben.goto("/")
    expect(ben.get_by_text("was restored from a backup")).to_be_visible()
    look(ben, "hello-suspended")
    new.get_by_role("button", name="These are still ours").click()
    expect(new.get_by_role("heading", name="Our home", exact=True)).to_be_visible()
    new.get_by_role("button", name="Back up now").click()
    expect(new.get_by_text("The backup is made.")).to_be_visible()
    new.get_by_role("button", name="Test restore").click()
    expect(new.get_by_text("all of it is whole")).to_be_visible()
    new.mouse.wheel(0, -5000)
    look(new, "house")
    ben.goto("/")
    expect(ben.get_by_text("From before the disk died.")).to_be_visible()
    ada.goto("/")
    expect(ada.get_by_text("signed out").first).to_be_visible()
    people.complaints.clear()  # the door that was shut for a moment
    assert found == []
