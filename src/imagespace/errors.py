"""The one exception that means "the user can mend this"."""


class UserError(Exception):
    """A mistake that the user can mend: says the value, the rule and the remedy on one line."""

    def __init__(self, value: str, rule: str, remedy: str) -> None:
        self.value, self.rule, self.remedy = value, rule, remedy
        super().__init__(" ".join(f"{value}: {rule}. {remedy}".split()))
