// What the pages have beside their markup: keys, times that stay true, and news.
import { offerHashing } from "./hashing.js";
import { followKeys } from "./keys.js";
import { stayLive } from "./live.js";
import { followLogs } from "./logs.js";
import { keepTimes } from "./times.js";

followKeys();
keepTimes();
followLogs();
stayLive();
offerHashing();
