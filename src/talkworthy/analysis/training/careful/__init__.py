"""Train the careful tier. Needs the packages of the group `train`, which running the product does not."""
