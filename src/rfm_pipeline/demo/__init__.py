"""A realistic synthetic shop, the source of `rfm demo`."""

from rfm_pipeline.demo.shop import Shop, write_shop

__all__ = ["Shop", "write_shop"]
