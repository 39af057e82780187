"""The paper's tables and figures: which runs they take, the runs made, and the page they give."""
