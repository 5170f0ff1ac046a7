"""Pages about releases, and the forms that change the champion."""
