"""`python -m rfm_pipeline` is `rfm`."""

from rfm_pipeline.cli import main

main()
