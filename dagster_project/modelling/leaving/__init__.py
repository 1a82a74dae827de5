"""Who is leaving, when and why: chances of no order learned beyond the purchase model, calibrated, and explained."""
