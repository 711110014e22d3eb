"""Synthetic shop data, the source of `rfm demo`."""

from rfm_pipeline.demo.shop import Shop, is_shop, write_shop

__all__ = ["Shop", "is_shop", "write_shop"]
