"""Live: prices, ceilings, the ledger, the governed client, and the controller that asks through it."""

from thinkcap.controller.account import Account
from thinkcap.controller.bound import Bound
from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.clients import make_client
from thinkcap.controller.controller import AsyncController, Controller
from thinkcap.controller.events import Event
from thinkcap.controller.exceeding import Exceeded
from thinkcap.controller.expecting import UnlikeExpected
from thinkcap.controller.govern import govern
from thinkcap.controller.many import Many
from thinkcap.controller.price import Price, read_price
from thinkcap.controller.pricing import AssumedPrice, PriceBook
from thinkcap.controller.questions import read_questions
from thinkcap.controller.recorder import Recorder
from thinkcap.controller.recording import Recorded, record
from thinkcap.controller.retries import Retries

__all__ = [
    "Account",
    "AssumedPrice",
    "AsyncController",
    "Bound",
    "Ceiling",
    "Controller",
    "Event",
    "Exceeded",
    "Many",
    "Price",
    "PriceBook",
    "Recorded",
    "Recorder",
    "Retries",
    "UnlikeExpected",
    "govern",
    "make_client",
    "read_price",
    "read_questions",
    "record",
]
