"""Why a customer is in a segment, and what would lead to another."""
