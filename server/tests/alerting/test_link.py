"""Where a notice leads to: the alert's own address in the console."""

from pilothouse.app.alerting import _link
from pilothouse.config import Settings


def test_a_notice_leads_to_its_alert_and_one_of_several_to_the_list(settings: Settings) -> None:
    told = Settings(home=settings.home, public_host="pilothouse.example.com")
    assert _link(told)("a 1") == "https://pilothouse.example.com:9446/alerts?alert=a%201"
    assert _link(told)("") == "https://pilothouse.example.com:9446/alerts"


def test_without_the_name_that_people_use_there_is_no_link(settings: Settings) -> None:
    assert _link(settings)("a-1") is None
