"""The quality of a release: what its rows hold, added up from what ingests counted; and whether all rows came."""
