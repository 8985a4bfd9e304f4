"""Load XML documents into related SQL tables by a declarative contract."""
