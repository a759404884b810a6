"""What ships: weights with their cards, the fonts, the theme."""
