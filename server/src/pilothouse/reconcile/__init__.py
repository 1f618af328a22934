"""From what is desired and what is observed to what is to be done: pure functions, asked again at every turn."""

from pilothouse.reconcile.plan import Ending as Ending
from pilothouse.reconcile.plan import Plan as Plan
from pilothouse.reconcile.plan import Situation as Situation
from pilothouse.reconcile.plan import plan as plan
